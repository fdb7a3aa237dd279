using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>Where the files of a transformer's model are.</summary>
/// <param name="Folder">The model's folder, fused or plain.</param>
/// <param name="Scratch">The temporary folder that it is in, which becomes the transformer's; or null.</param>
/// <param name="SavedPath">What a saved pipeline holds in place of the files: the folder's path; null to hold the files.</param>
internal sealed record ModelPlace(string Folder, ScratchFolder? Scratch = null, string? SavedPath = null);

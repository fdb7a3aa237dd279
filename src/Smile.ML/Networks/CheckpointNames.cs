using System.IO.Enumeration;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>
/// What sets the tensors of one architecture's checkpoints apart from one another: of a pool's models, the pretrained one is often saved
/// by another class of Hugging Face's library than the fine-tuned ones.
/// </summary>
internal sealed record CheckpointNames
{
    /// <summary>Names of an architecture whose checkpoints are all alike.</summary>
    public static readonly CheckpointNames Uniform = new();

    /// <summary>Gets what the names of the backbone's modules start with, and lack in a checkpoint of the bare backbone.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>
    /// Gets the modules behind the backbone's last layer, with the prefix where they have it. Models of one pool may have them in
    /// different shapes, or lack them.
    /// </summary>
    public IReadOnlyList<string> Heads { get; init; } = [];

    /// <summary>
    /// Gets the modules that are not fine-tuned, each with the end of the names of the classes that hold it. A fine-tune saved by another class
    /// lacks it, and has the pretrained model's.
    /// </summary>
    public IReadOnlyDictionary<string, string> Frozen { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Gets patterns, without the prefix, of tensors that some checkpoints hold and the network never reads: heads of the pretraining
    /// task, buffers, second copies. <c>*</c> stands for any characters.
    /// </summary>
    public IReadOnlyList<string> Unused { get; init; } = [];

    /// <summary>Finds the head that a tensor or layer belongs to, as the checkpoint names it; null for one that belongs to none.</summary>
    public string? FindHead(string name) => Heads.SelectMany(head => new[] { head, Bare(head) }).FirstOrDefault(head => Holds(head, name));

    /// <summary>Tells whether a module is, or holds, what has a name.</summary>
    public static bool Holds(string module, string name)
        => name.StartsWith(module, StringComparison.Ordinal) && (name.Length == module.Length || name[module.Length] == '.');

    /// <summary>Tells whether the network never reads a tensor.</summary>
    public bool IsUnused(string tensor)
        => Unused.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, Bare(tensor), ignoreCase: false));

    /// <summary>Tells whether a fine-tune's class, as its config names it, leaves a tensor of the pretrained model out.</summary>
    /// <exception cref="SmileException">The config's <c>architectures</c> is no list of strings.</exception>
    public bool IsLeftOut(string tensor, ModelConfig config)
        => Frozen.Any(module => Holds(module.Key, tensor)
            && config.GetStringList("architectures", []) is { Count: > 0 } classes
            && !classes.Any(name => name.EndsWith(module.Value, StringComparison.Ordinal)));

    /// <summary>Gets a function from names in any checkpoint of the architecture to names as a given one has them.</summary>
    public Func<string, string> NamesAsIn(ITensorSource checkpoint)
    {
        if (!checkpoint.Tensors.Keys.Any(HasPrefix))
        {
            return Bare;
        }

        return name => HasPrefix(name) || Heads.Any(head => !HasPrefix(head) && Holds(head, name)) ? name : Prefix + name;
    }

    private bool HasPrefix(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    private string Bare(string name) => HasPrefix(name) ? name[Prefix.Length..] : name;
}

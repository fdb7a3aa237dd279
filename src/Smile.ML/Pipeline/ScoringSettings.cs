using Smile.ML.Compute;

namespace Smile.ML;

/// <summary>How a model scores, and where it is kept.</summary>
/// <param name="BatchSize">The most rows to score together.</param>
/// <param name="Device">The device; as the context says where null.</param>
/// <param name="Threads">The threads; all where null.</param>
/// <param name="ModelFolder">The folder to keep the model in; a temporary one where null.</param>
/// <param name="WeightsInZip">Whether a saved pipeline holds the weights, else the folder's path.</param>
internal sealed record ScoringSettings(int BatchSize, string? Device, int? Threads, string? ModelFolder, bool WeightsInZip)
{
    /// <summary>Gets what a saved pipeline holds in place of the weights: the folder's path; null to hold the weights.</summary>
    public string? SavedPath => WeightsInZip ? null : ModelFolder;

    /// <summary>Checks the settings.</summary>
    /// <exception cref="SmileException">One is out of range, or the weights have no place.</exception>
    public void Validate()
    {
        SmileTransformer.CheckBatchSize(BatchSize);
        ThreadCount.Validate(Threads);
        if (ModelFolder is "")
        {
            throw new SmileException($"{nameof(ModelFolder)} is \"\"; expected a folder, or null for a temporary one.");
        }

        if (!WeightsInZip && ModelFolder is null)
        {
            throw new SmileException($"{nameof(WeightsInZip)} is false, but {nameof(ModelFolder)} is not set; expected the folder for the weights.");
        }
    }
}

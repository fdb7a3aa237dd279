using Smile.ML.Fusion;

namespace Smile.ML;

/// <summary>How an ML.NET pipeline fuses a pool, and how the fused model scores.</summary>
public sealed class SmileOptions : SmileScoringOptions
{
    // Defaults, checks and comments of these options have their one place there.
    private SmileFusionOptions _fusion = new();

    /// <inheritdoc cref="SmileFusionOptions.ExpertRank"/>
    public int? ExpertRank { get => _fusion.ExpertRank; set => _fusion = _fusion with { ExpertRank = value }; }

    /// <inheritdoc cref="SmileFusionOptions.RouterRank"/>
    public int RouterRank { get => _fusion.RouterRank; set => _fusion = _fusion with { RouterRank = value }; }

    /// <inheritdoc cref="SmileFusionOptions.ExpertsPerToken"/>
    public int ExpertsPerToken { get => _fusion.ExpertsPerToken; set => _fusion = _fusion with { ExpertsPerToken = value }; }

    /// <inheritdoc cref="SmileFusionOptions.Shared"/>
    public SharedParameters Shared { get => _fusion.Shared; set => _fusion = _fusion with { Shared = value }; }

    /// <inheritdoc cref="SmileFusionOptions.Keep"/>
    public IList<string> Keep { get; } = [];

    /// <inheritdoc cref="SmileFusionOptions.Compatibility"/>
    public FusionCompatibility Compatibility { get => _fusion.Compatibility; set => _fusion = _fusion with { Compatibility = value }; }

    /// <inheritdoc cref="SmileFusionOptions.Precision"/>
    public StoredPrecision Precision { get => _fusion.Precision; set => _fusion = _fusion with { Precision = value }; }

    /// <inheritdoc cref="SmileFusionOptions.MaxMemory"/>
    public long? MaxMemory { get => _fusion.MaxMemory; set => _fusion = _fusion with { MaxMemory = value }; }

    /// <summary>
    /// Gets or sets the folder to write the model to and to keep it in, for <see cref="SmileScoringOptions.WeightsInZip"/> or for other
    /// tools; it must not exist or be empty. Null for a temporary folder.
    /// </summary>
    public string? ModelFolder { get; set; }

    /// <summary>Gathers how to fuse.</summary>
    /// <param name="expertCount">Number of experts.</param>
    /// <exception cref="SmileException">An option is out of range.</exception>
    internal SmileFusionOptions CreateFusionOptions(int expertCount)
    {
        SmileFusionOptions fusion = _fusion with { Keep = [.. Keep], Threads = Threads };
        fusion.Validate(expertCount);
        return fusion;
    }
}

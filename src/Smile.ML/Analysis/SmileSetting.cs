using System.Globalization;
using Smile.ML.Fusion;

namespace Smile.ML.Analysis;

/// <summary>The numbers that make a SMILE model of a pool.</summary>
/// <param name="ExpertRank">The rank of each expert [k]; null for dense experts.</param>
/// <param name="RouterRank">The router rows per expert [k_gate].</param>
/// <param name="ExpertsPerToken">The experts that each token goes to [top_k].</param>
public sealed record SmileSetting(int? ExpertRank, int RouterRank, int ExpertsPerToken)
{
    /// <summary>Gets the setting of fusion options.</summary>
    /// <param name="options">The options.</param>
    /// <returns>Their ranks and experts per token.</returns>
    public static SmileSetting From(SmileFusionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new SmileSetting(options.ExpertRank, options.RouterRank, options.ExpertsPerToken);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"smile gate_k={RouterRank} {(ExpertRank is { } k ? string.Create(CultureInfo.InvariantCulture, $"k={k}") : "k=-1 (dense)")} top_k={ExpertsPerToken}");
}

namespace Smile.ML.Analysis;

/// <summary>What the weights of one linear layer say, without any data.</summary>
public sealed record LayerWeightAnalysis
{
    /// <summary>Gets the layer's name.</summary>
    public required string Layer { get; init; }

    /// <summary>Gets the output features.</summary>
    public required int Outputs { get; init; }

    /// <summary>Gets the input features.</summary>
    public required int Inputs { get; init; }

    /// <summary>Gets each expert's spectrum, in router order.</summary>
    public required IReadOnlyList<DeltaSpectrum> Spectra { get; init; }

    /// <summary>
    /// Gets the overlap of the experts' router subspaces [E, E]: the mean squared cosine of their principal angles,
    /// ||V_i^T V_j||_F^2 / min(rank_i, rank_j), from 0 (orthogonal) to 1 (one contains the other).
    /// </summary>
    public required LabelledMatrix RouterOverlap { get; init; }

    /// <summary>Gets the cosine of the smallest principal angle of the experts' router subspaces [E, E]: 1 where they share a direction.</summary>
    public required LabelledMatrix LargestCosine { get; init; }

    /// <summary>
    /// Gets the cosine of the experts' low-rank deltas [E, E]: &lt;D_i, D_j&gt; / (||D_i|| ||D_j||), each cut to the expert rank.
    /// 0 where one of them is zero.
    /// </summary>
    public required LabelledMatrix DeltaCosine { get; init; }

    /// <summary>Gets k50, the size of zone I of the pretrained weight; 0 where zones weren't asked for.</summary>
    public int ZoneBoundary { get; init; }

    /// <summary>Gets the projected energy of each expert's delta; empty where zones weren't asked for.</summary>
    public IReadOnlyList<ProjectedEnergy> ProjectedEnergy { get; init; } = [];

    /// <summary>
    /// Gets the overlap that random router subspaces of this size would have: rank / inputs. Router overlap much above it is shared
    /// structure.
    /// </summary>
    public required double RandomRouterOverlap { get; init; }
}

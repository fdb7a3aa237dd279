namespace Smile.ML.Fusion;

/// <summary>Whose treatment of degenerate layers a fusion follows.</summary>
public enum FusionCompatibility
{
    /// <summary>
    /// Smile.ML's: an expert that left a weight alone has router logit 0; ranks end at the numerical rank; a layer whose biases alone
    /// changed keeps the bias deltas.
    /// </summary>
    None,

    /// <summary>
    /// FusionBench's: a delta whose elements are all within 1e-8 counts as zero, and such an expert's router subspace is spanned by the
    /// first unit vectors (what LAPACK returns for a zero matrix); ranks end at the smaller dimension; a layer with zero deltas only
    /// keeps the pretrained bias. The folder then has FusionBench's tensor names and shapes throughout.
    /// </summary>
    FusionBench,
}

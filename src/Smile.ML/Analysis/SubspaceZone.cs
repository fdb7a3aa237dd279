namespace Smile.ML.Analysis;

/// <summary>
/// A zone of a pretrained weight's singular directions W_0 = U S V^T (arXiv 2408.10174, section 3). Zone I ends at k50, the first k whose
/// largest k singular values sum to at least half of all.
/// </summary>
public enum SubspaceZone
{
    /// <summary>The first k50 directions: what the pretrained layer does most.</summary>
    I,

    /// <summary>The rest of the thin decomposition.</summary>
    II,

    /// <summary>The rest of the full decomposition: everything orthogonal to zone I, on either side.</summary>
    IIAndIII,
}

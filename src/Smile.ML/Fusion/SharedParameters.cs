namespace Smile.ML.Fusion;

/// <summary>What a fused model takes for everything that is not upscaled: norms, embeddings, convolutions, positions.</summary>
public enum SharedParameters
{
    /// <summary>The pretrained values.</summary>
    Pretrained,

    /// <summary>The mean of the experts' values.</summary>
    Average,

    /// <summary>
    /// The mean of the experts' values for parameters of modules without children, the pretrained values for parameters that a module
    /// with children holds itself (CLIP's class embedding, say): what FusionBench averages.
    /// </summary>
    AverageLeaves,
}

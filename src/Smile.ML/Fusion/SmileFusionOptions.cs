using Smile.ML.Compute;

namespace Smile.ML.Fusion;

/// <summary>How SMILE fuses a pool (arXiv 2408.10174; the words in brackets are the paper's and FusionBench's).</summary>
public sealed record SmileFusionOptions
{
    /// <summary>Gets the rank of each expert [k, <c>rank_of_expert</c>]; null keeps the whole weight delta. 32 by default.</summary>
    public int? ExpertRank { get; init; } = 32;

    /// <summary>Gets the router rows per expert [k_gate, <c>rank_of_router</c>]. 16 by default.</summary>
    public int RouterRank { get; init; } = 16;

    /// <summary>Gets how many experts each token goes to [top_k, <c>num_experts_per_tok</c>]. 1 by default.</summary>
    public int ExpertsPerToken { get; init; } = 1;

    /// <summary>Gets what becomes of the parameters that are not upscaled.</summary>
    public SharedParameters Shared { get; init; } = SharedParameters.Pretrained;

    /// <summary>
    /// Gets the patterns of linear layers that stay at the pretrained weights. A pattern is a layer's whole name, in which <c>*</c>
    /// stands for any characters and <c>?</c> for one.
    /// </summary>
    public IReadOnlyList<string> Keep { get; init; } = [];

    /// <summary>Gets whose treatment of degenerate layers to follow.</summary>
    public FusionCompatibility Compatibility { get; init; }

    /// <summary>Gets the element types of the result.</summary>
    public StoredPrecision Precision { get; init; }

    /// <summary>Gets the threads to work with, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; init; }

    /// <summary>
    /// Gets the bytes of working memory that fusing may take; null for no limit. Fewer experts are then
    /// worked on at once.
    /// </summary>
    public long? MaxMemory { get; init; }

    /// <summary>Checks the options against a pool's number of experts.</summary>
    /// <param name="expertCount">Number of experts.</param>
    /// <exception cref="SmileException">An option is out of range.</exception>
    internal void Validate(int expertCount)
    {
        Require(ExpertRank is null or >= 1, nameof(ExpertRank), ExpertRank, "1 or more, or null for dense experts");
        Require(RouterRank >= 1, nameof(RouterRank), RouterRank, "1 or more");
        Require(
            ExpertsPerToken >= 1 && ExpertsPerToken <= expertCount,
            nameof(ExpertsPerToken),
            ExpertsPerToken,
            $"1 to {expertCount}, the number of experts");
        Require(Enum.IsDefined(Shared), nameof(Shared), Shared, $"one of {string.Join(", ", Enum.GetNames<SharedParameters>())}");
        Require(Enum.IsDefined(Compatibility), nameof(Compatibility), Compatibility, $"one of {string.Join(", ", Enum.GetNames<FusionCompatibility>())}");
        Precision.Validate();
        ThreadCount.Validate(Threads);
        Require(MaxMemory is null or >= 1, nameof(MaxMemory), MaxMemory, "a positive number of bytes");
    }

    private static void Require(bool valid, string option, object? found, string expected)
    {
        if (!valid)
        {
            throw new SmileException($"{option} is {found ?? "null"}; expected {expected}.");
        }
    }
}

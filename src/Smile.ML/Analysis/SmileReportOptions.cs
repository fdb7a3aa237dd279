using Smile.ML.Compute;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Analysis;

/// <summary>What a report covers.</summary>
public sealed record SmileReportOptions
{
    /// <summary>Gets the folder with one <c>TASK.safetensors</c> head per expert; without heads or data, only the weights are analysed.</summary>
    public string? HeadsFolder { get; init; }

    /// <summary>Gets the folder with one <c>TASK_test.safetensors</c> per expert; without heads or data, only the weights are analysed.</summary>
    public string? DataFolder { get; init; }

    /// <summary>Gets the setting that routing and errors are shown for, and around which sizes are compared.</summary>
    public SmileSetting Setting { get; init; } = new(32, 16, 1);

    /// <summary>Gets the expert ranks to compare [k].</summary>
    public IReadOnlyList<int> ExpertRanks { get; init; } = [4, 8, 16, 32, 64];

    /// <summary>Gets the router ranks to compare [k_gate].</summary>
    public IReadOnlyList<int> RouterRanks { get; init; } = [1, 2, 4, 8, 16];

    /// <summary>Gets the numbers of experts per token to compare [top_k]; those above the number of experts are left out.</summary>
    public IReadOnlyList<int> ExpertsPerToken { get; init; } = [1, 2, 4, 8];

    /// <summary>Gets the dense merges to compare with.</summary>
    public IReadOnlyList<MergeMethod> Merges { get; init; } = [new SimpleAverage(), new TaskArithmetic(), new Ties(), new TaskSingularVectors(), new Wudi()];

    /// <summary>
    /// Gets a value indicating whether to be quick: fewer settings, at most 64 rows per task, no decomposition of the pretrained weights.
    /// </summary>
    public bool Quick { get; init; }

    /// <summary>Gets where to run models; the CPU where null.</summary>
    public ComputeOptions? Compute { get; init; }

    /// <summary>Gets the options that are in force: those given, or fewer where the report is to be quick.</summary>
    internal SmileReportOptions Effective() => Quick
        ? this with { ExpertRanks = [4, 16, 32], RouterRanks = [4, 16], ExpertsPerToken = [1, 2], Merges = [new SimpleAverage(), new Ties()] }
        : this;
}

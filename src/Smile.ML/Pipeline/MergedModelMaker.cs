using Microsoft.ML.Runtime;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML;

/// <summary>Makes a dense model of the pretrained model's size.</summary>
internal sealed class MergedModelMaker(MergeMethod method, MergeOptions options) : IModelMaker
{
    public FusionReport? Make(ModelPool pool, string folder, IChannel channel, IProgress<FusionProgress> progress)
    {
        MergeReport report = method.Merge(pool, folder, options, progress: progress);
        channel.Info(
            MessageSensitivity.Schema,
            "Merged {0} experts ({1}) onto {2} in {3:F1} s by {4}; {5:N0} parameters.",
            report.Experts.Count,
            string.Join(", ", report.Experts),
            pool.Pretrained.Config.ModelType,
            report.Elapsed.TotalSeconds,
            report.Method,
            report.Parameters);
        return null;
    }
}

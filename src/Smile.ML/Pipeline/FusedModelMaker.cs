using Microsoft.ML.Runtime;
using Smile.ML.Fusion;

namespace Smile.ML;

/// <summary>Makes a mixture of low-rank experts.</summary>
internal sealed class FusedModelMaker(SmileFusionOptions options) : IModelMaker
{
    public FusionReport? Make(ModelPool pool, string folder, IChannel channel, IProgress<FusionProgress> progress)
    {
        FusionReport report = new SmileFusion(options).Fuse(pool, folder, progress: progress);
        channel.Info(
            MessageSensitivity.Schema,
            "Fused {0} experts ({1}) onto {2} in {3:F1} s: expert rank {4}, router rank {5}, {6} expert(s) per token.",
            report.Experts.Count,
            string.Join(", ", report.Experts),
            pool.Pretrained.Config.ModelType,
            report.Elapsed.TotalSeconds,
            options.ExpertRank is { } rank ? rank : "dense",
            options.RouterRank,
            options.ExpertsPerToken);
        channel.Info(
            MessageSensitivity.Schema,
            "{0} linear layers became routed, {1} stayed plain; {2:N0} parameters, the pretrained model has {3:N0}.",
            report.Upscaled.Count,
            report.Kept.Count,
            report.FusedParameters,
            report.PretrainedParameters);
        foreach ((string layer, string reason) in report.Kept)
        {
            channel.Trace(MessageSensitivity.Schema, "{0} stayed plain: {1}.", layer, reason);
        }

        return report;
    }
}

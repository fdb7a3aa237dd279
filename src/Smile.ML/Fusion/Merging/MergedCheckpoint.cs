using System.Diagnostics;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>Writes merged models, tensor by tensor.</summary>
internal static class MergedCheckpoint
{
    public static MergeReport Write(
        MergeMethod method,
        ModelPool pool,
        NetworkManifest manifest,
        string folder,
        MergeOptions options,
        bool overwrite,
        IProgress<FusionProgress>? progress,
        CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        pool.RequireOutside(folder);
        Dictionary<string, string> layers = manifest.LinearLayers.Where(layer => !layer.IsTied).ToDictionary(layer => layer.WeightName, layer => layer.Name);
        TensorInfo[] tensors =
        [
            .. pool.Pretrained.Tensors.Values.Select(
                tensor => tensor.Type.IsFloatingPoint() ? tensor with { Type = options.Precision.TypeOf(tensor.Type) } : tensor),
        ];
        using CheckpointWriter writer = CheckpointWriter.Create(folder, tensors, overwrite);
        using ITensorSource merged = method.Merge(pool, manifest, options.Threads, cancellationToken);
        int layersDone = 0;
        long parameters = 0;
        foreach (TensorInfo tensor in tensors)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!tensor.Type.IsFloatingPoint())
            {
                writer.WriteRaw(tensor, merged);
                continue;
            }

            writer.WriteConverted(tensor, merged);
            parameters += tensor.ElementCount;
            if (layers.TryGetValue(tensor.Name, out string? layer))
            {
                progress?.Report(new FusionProgress(++layersDone, layers.Count, layer));
            }
        }

        ModelConfig config = pool.Pretrained.Config;
        writer.SetConfig(options.Precision == StoredPrecision.Keep
            ? config
            : config.With([KeyValuePair.Create("torch_dtype", (JsonNode?)options.Precision.TorchName())]));
        cancellationToken.ThrowIfCancellationRequested();
        writer.Commit();
        return new MergeReport
        {
            Method = method.ToString(),
            Experts = [.. pool.Experts.Select(expert => expert.Name)],
            Parameters = parameters,
            Elapsed = Stopwatch.GetElapsedTime(start),
        };
    }
}

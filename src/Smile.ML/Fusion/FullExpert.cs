using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>An expert that is a whole fine-tuned checkpoint.</summary>
internal sealed class FullExpert(string name, HuggingFaceFolder folder) : Expert(name)
{
    public override string Location => folder.Location;

    internal override ModelConfig? Config => folder.Config;

    internal override ITensorSource Parameters => folder;

    internal override void Check(HuggingFaceFolder pretrained, NetworkManifest manifest, OwnHeads heads)
    {
        if (folder.Config.ModelType != pretrained.Config.ModelType)
        {
            throw Differs($"model_type is \"{ErrorText.Clip(folder.Config.ModelType)}\"", $"\"{ErrorText.Clip(pretrained.Config.ModelType)}\", the pretrained model's");
        }

        if (ConfigComparison.FindDifference(folder.Config, pretrained.Config) is { } difference)
        {
            throw Differs($"its config.json has {difference.Key} {difference.First}", $"{difference.Second}, the pretrained model's, since the experts' weights are run by its config");
        }

        HashSet<string> biases = [.. manifest.LinearLayers.Select(layer => $"{layer.Name}.bias")];
        foreach (TensorInfo expected in pretrained.Tensors.Values.Where(tensor => IsParameter(tensor) && !heads.Contains(tensor.Name)))
        {
            // A linear layer without its bias counts as one whose bias is 0.
            if (!folder.Tensors.TryGetValue(expected.Name, out TensorInfo? found))
            {
                if (!biases.Contains(expected.Name))
                {
                    throw Differs(
                        $"tensor {ErrorText.Clip(pretrained.StoredName(expected.Name))} is missing",
                        $"{expected.Description}, as in {pretrained.Location}");
                }
            }
            else if (found.Type != expected.Type || !found.Shape.SequenceEqual(expected.Shape))
            {
                throw Differs(
                    $"tensor {ErrorText.Clip(folder.StoredName(expected.Name))} is {found.Description}",
                    $"{expected.Description}, as in {pretrained.Location}");
            }
        }

        foreach (LinearLayerInfo layer in manifest.LinearLayers.Where(
            layer => !heads.Contains(layer.Name) && folder.Tensors.ContainsKey($"{layer.Name}.bias")))
        {
            folder.Require($"{layer.Name}.bias", layer.Outputs);
        }

        foreach (TensorInfo found in folder.Tensors.Values.Where(tensor => IsParameter(tensor) && !heads.Contains(tensor.Name)))
        {
            if (!pretrained.Tensors.ContainsKey(found.Name) && !biases.Contains(found.Name))
            {
                throw Differs(
                    $"tensor {ErrorText.Clip(folder.StoredName(found.Name))}, {found.Description}, is not in the pretrained model",
                    $"only tensors of {pretrained.Location}");
            }
        }
    }

    internal override WeightDelta ReadDelta(ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool, int? rank = null)
        => WeightDelta.Between(folder, pretrained, layer, pool, rank);

    protected override void Dispose(bool disposing) => folder.Dispose();

    /// <summary>Buffers of ids (CLIP's position_ids, say) are no parameters: some checkpoints hold them, some don't.</summary>
    private static bool IsParameter(TensorInfo tensor) => tensor.Type.IsFloatingPoint();

    private SmileException Differs(string found, string expected) => new($"Expert {Name} ({Location}): {found}; expected {expected}.");
}

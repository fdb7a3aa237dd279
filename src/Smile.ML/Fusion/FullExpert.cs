using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>An expert that is a whole fine-tuned checkpoint.</summary>
internal sealed class FullExpert(string name, HuggingFaceFolder folder) : Expert(name)
{
    public override string Location => folder.Location;

    internal override ITensorSource Parameters => folder;

    internal override void Check(HuggingFaceFolder pretrained, NetworkManifest manifest)
    {
        if (folder.Config.ModelType != pretrained.Config.ModelType)
        {
            throw Differs($"model_type is \"{folder.Config.ModelType}\"", $"\"{pretrained.Config.ModelType}\", the pretrained model's");
        }

        HashSet<string> biases = [.. manifest.LinearLayers.Select(layer => $"{layer.Name}.bias")];
        foreach (TensorInfo expected in pretrained.Tensors.Values.Where(IsParameter))
        {
            // A linear layer without its bias counts as one whose bias is 0.
            if (!folder.Tensors.TryGetValue(expected.Name, out TensorInfo? found))
            {
                if (!biases.Contains(expected.Name))
                {
                    throw Differs($"tensor {expected.Name} is missing", $"{expected.Description}, as in {pretrained.Location}");
                }
            }
            else if (found.Type != expected.Type || !found.Shape.SequenceEqual(expected.Shape))
            {
                throw Differs($"tensor {expected.Name} is {found.Description}", $"{expected.Description}, as in {pretrained.Location}");
            }
        }

        foreach (LinearLayerInfo layer in manifest.LinearLayers.Where(layer => folder.Tensors.ContainsKey($"{layer.Name}.bias")))
        {
            folder.Require($"{layer.Name}.bias", layer.Outputs);
        }

        foreach (TensorInfo found in folder.Tensors.Values.Where(IsParameter))
        {
            if (!pretrained.Tensors.ContainsKey(found.Name) && !biases.Contains(found.Name))
            {
                throw Differs($"tensor {found.Name}, {found.Description}, is not in the pretrained model", $"only tensors of {pretrained.Location}");
            }
        }
    }

    internal override WeightDelta ReadDelta(ITensorSource pretrained, LinearLayerInfo layer, WorkerPool? pool = null)
        => DenseWeightDelta.Read(folder, pretrained, layer, pool);

    protected override void Dispose(bool disposing) => folder.Dispose();

    /// <summary>Buffers of ids (CLIP's position_ids, say) are no parameters: some checkpoints hold them, some don't.</summary>
    private static bool IsParameter(TensorInfo tensor) => tensor.Type.IsFloatingPoint();

    private SmileException Differs(string found, string expected) => new($"Expert {Name} ({Location}): {found}; expected {expected}.");
}

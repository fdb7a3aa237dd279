using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Cuda.Tests.Goldens;

/// <summary>Keeps every layer's routing, under the names that the goldens use.</summary>
internal sealed class RoutingTensors : IRoutingObserver
{
    public Dictionary<string, HostTensor> Tensors { get; } = [];

    public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
    {
        Tensors[$"{layer}/router_logits"] = HostTensor.FromFloats([tokens, logits.Length / tokens], logits.ToArray());
        Tensors[$"{layer}/routing_weights"] = HostTensor.FromFloats([tokens, weights.Length / tokens], weights.ToArray());
        Tensors[$"{layer}/selected_experts"] = HostTensor.FromIntegers(
            [tokens, selected.Length / tokens], Array.ConvertAll(selected.ToArray(), expert => (long)expert));
    }
}

using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Tool;

/// <summary>Collects what <c>--routing</c> writes: per layer <c>selected_experts</c>, <c>routing_weights</c> and <c>router_logits</c>.</summary>
internal sealed class RoutingRecorder : IRoutingObserver
{
    private readonly Dictionary<string, HostTensor> _tensors = [];

    public IReadOnlyDictionary<string, HostTensor> Tensors => _tensors;

    public void OnRouted(string layer, int tokens, ReadOnlySpan<float> logits, ReadOnlySpan<int> selected, ReadOnlySpan<float> weights)
    {
        var experts = new long[selected.Length];
        for (int i = 0; i < experts.Length; i++)
        {
            experts[i] = selected[i];
        }

        _tensors[$"{layer}/selected_experts"] = HostTensor.FromIntegers([tokens, selected.Length / tokens], experts);
        _tensors[$"{layer}/routing_weights"] = HostTensor.FromFloats([tokens, weights.Length / tokens], weights.ToArray());
        _tensors[$"{layer}/router_logits"] = HostTensor.FromFloats([tokens, logits.Length / tokens], logits.ToArray());
    }
}

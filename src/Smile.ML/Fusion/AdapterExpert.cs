using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>An expert that is a LoRA adapter over the pool's pretrained model.</summary>
internal sealed class AdapterExpert : Expert
{
    private readonly PeftAdapter _adapter;
    private readonly Lazy<AdaptedTensors> _merged;

    /// <summary>Takes an adapter over.</summary>
    /// <param name="name">The expert's name.</param>
    /// <param name="adapter">The adapter; disposed with the expert.</param>
    /// <param name="pretrained">The model that it was trained on; it must outlive the expert.</param>
    public AdapterExpert(string name, PeftAdapter adapter, HuggingFaceFolder pretrained)
        : base(name)
    {
        _adapter = adapter;
        _merged = new Lazy<AdaptedTensors>(() => AdaptedTensors.Merge(
            adapter, pretrained, NetworkManifest.Read(pretrained.Config, pretrained), $"Expert {name} ({adapter.Location})"));
    }

    public override string Location => _adapter.Location;

    internal override ITensorSource Parameters => _merged.Value;

    internal override void Check(HuggingFaceFolder pretrained, NetworkManifest manifest, OwnHeads heads) => _ = _merged.Value;

    internal override WeightDelta ReadDelta(ITensorSource pretrained, LinearLayerInfo layer, WorkerPool pool, int? rank = null)
        => _merged.Value.ReadDelta(layer, pool, rank);

    internal override void ReadTaskVector(ITensorSource pretrained, string name, long start, Span<float> destination)
    {
        if (_merged.Value.Replaces(name))
        {
            base.ReadTaskVector(pretrained, name, start, destination);
        }
        else
        {
            // Not (W_0 + B A) - W_0, whose rounding errors methods that raise small directions would take for changes.
            destination.Clear();
            _merged.Value.AddChange(name, start, destination);
        }
    }

    internal override long WorkingBytes(LinearLayerInfo layer, int rank)
        => _merged.Value.LowRank(layer) is { } inner
            ? ((long)layer.Outputs + layer.Inputs) * inner * 2 * sizeof(float) + TruncatedSvd.WorkingBytesOfProduct(layer.Outputs, layer.Inputs, inner)
            : base.WorkingBytes(layer, rank);

    protected override void Dispose(bool disposing) => _adapter.Dispose();
}

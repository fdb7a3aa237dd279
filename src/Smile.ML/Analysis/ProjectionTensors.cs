using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>
/// Projection merging (arXiv 2408.10174, section 3): of an expert's weight deltas only their projection onto a zone of the pretrained
/// weight, W_0 + U_z U_z^T D V_z V_z^T; every other parameter is the expert's, a table that a head is tied to among them.
/// </summary>
internal sealed class ProjectionTensors(ModelPool pool, NetworkManifest manifest, Expert expert, SubspaceZone zone, WorkerPool threads)
    : ComputedTensors(pool)
{
    private readonly ModelPool _pool = pool;
    private readonly Dictionary<string, LinearLayerInfo> _layers = manifest.LinearLayers
        .Where(layer => !layer.IsTied).ToDictionary(layer => layer.WeightName);
    private readonly Lock _computing = new();
    private (string Name, float[] Values)? _latest;

    public override string Location => $"zone {zone} of {expert.Name} over {_pool.Pretrained.Location}";

    public override void ReadFloats(string name, long start, Span<float> destination)
    {
        if (_layers.TryGetValue(name, out LinearLayerInfo? layer))
        {
            Weight(layer, name).AsSpan((int)start, destination.Length).CopyTo(destination);
        }
        else if (expert.Parameters.Tensors.ContainsKey(name))
        {
            expert.Parameters.ReadFloats(name, start, destination);
        }
        else
        {
            // A linear layer without its bias counts as one whose bias is 0.
            destination.Clear();
        }
    }

    /// <summary>Computes a layer's weight; the latest is kept, since it is read piece by piece.</summary>
    private float[] Weight(LinearLayerInfo layer, string name)
    {
        lock (_computing)
        {
            if (_latest?.Name == name)
            {
                return _latest.Value.Values;
            }

            float[] values = _pool.Pretrained.ReadFloats(name);
            using Matrix pretrained = new(layer.Outputs, layer.Inputs);
            values.CopyTo(pretrained.Span);
            using SubspaceZones zones = SubspaceZones.Compute(pretrained, threads);
            using WeightDelta delta = expert.ReadDelta(_pool.Pretrained, layer, WorkerPool.Caller);
            using Matrix projected = zones.Project(delta.ToMatrix(), zone, threads);
            ReadOnlySpan<float> change = projected.Span;
            for (int i = 0; i < values.Length; i++)
            {
                values[i] += change[i];
            }

            _latest = (name, values);
            return values;
        }
    }
}

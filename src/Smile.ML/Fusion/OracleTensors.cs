using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>
/// What a perfect router would make of a pool for one task: the expert's linear layers, dense, in the pretrained model's surroundings.
/// The bound of what routing can reach.
/// </summary>
internal sealed class OracleTensors(ModelPool pool, NetworkManifest manifest, Expert expert) : ComputedTensors(pool)
{
    private readonly ModelPool _pool = pool;
    private readonly HashSet<string> _linear =
        [.. manifest.LinearLayers.SelectMany(layer => new[] { layer.WeightName, $"{layer.Name}.bias" })];

    public override string Location => $"{expert.Name} over {_pool.Pretrained.Location}";

    public override void ReadFloats(string name, long start, Span<float> destination)
    {
        if (!_linear.Contains(name))
        {
            _pool.Pretrained.ReadFloats(name, start, destination);
        }
        else if (expert.Parameters.Tensors.ContainsKey(name))
        {
            expert.Parameters.ReadFloats(name, start, destination);
        }
        else
        {
            destination.Clear();
        }
    }
}

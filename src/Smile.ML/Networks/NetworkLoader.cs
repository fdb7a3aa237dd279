using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Builds networks with the weights of a checkpoint in a backend's memory.</summary>
internal sealed class NetworkLoader : ModuleBuilder
{
    private readonly ITensorSource _source;
    private readonly Backend _backend;
    private readonly IReadOnlyList<ILinearLoader> _linearLoaders;
    private readonly ICollection<IDisposable> _owner;

    private NetworkLoader(
        ModelConfig config, ITensorSource source, Backend backend, IReadOnlyList<ILinearLoader> linearLoaders, ICollection<IDisposable> owner)
        : base(config)
        => (_source, _backend, _linearLoaders, _owner) = (source, backend, linearLoaders, owner);

    /// <summary>Loads a network.</summary>
    /// <param name="config">Its configuration.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="backend">Where they go.</param>
    /// <param name="linearLoaders">The kinds of linear layers, tried in order.</param>
    /// <param name="owner">Takes what must be disposed with the network, also when loading fails half-way.</param>
    /// <exception cref="SmileException">The architecture is unknown, or config and weights don't fit together.</exception>
    public static Network Load(
        ModelConfig config, ITensorSource source, Backend backend, IReadOnlyList<ILinearLoader> linearLoaders, ICollection<IDisposable> owner)
        => Architectures.Find(config).Build(new NetworkLoader(config, source, backend, linearLoaders, owner));

    public override LinearLayerInfo? FindLinear(string name)
        => _linearLoaders.Select(loader => loader.Find(name)).FirstOrDefault(layer => layer is not null);

    public override Linear Linear(string name, int outputs, int inputs, bool bias)
    {
        foreach (ILinearLoader loader in _linearLoaders)
        {
            if (loader.Find(name) is { } layer)
            {
                return loader.Load(layer.Check(_source, outputs, inputs, bias), _owner);
            }
        }

        throw LinearLayerInfoExtensions.Missing(_source, name, outputs, inputs);
    }

    public override Linear TiedLinear(string name, string weight, int outputs, int inputs)
    {
        // A plain checkpoint's own copy of a tied weight, where an old file holds one, counts for nothing.
        if (Architectures.IsFused(Config) && FindLinear(name) is not null)
        {
            return Linear(name, outputs, inputs, bias: false);
        }

        _source.Require(weight, outputs, inputs);
        DenseWeights weights = _backend.LoadDense(outputs, inputs, _source.Rows(weight, inputs), null);
        _owner.Add(weights);
        return new DenseLinear(name, weights);
    }

    public override Tensor Parameter(string name, params ReadOnlySpan<int> shape)
    {
        _source.Require(name, shape);
        int rows = 1;
        foreach (int dimension in shape[..^1])
        {
            rows = checked(rows * dimension);
        }

        Tensor tensor = _backend.Rent(rows, shape[^1]);
        _owner.Add(tensor);
        var values = new float[tensor.Length];
        _source.ReadFloats(name, 0, values);
        _backend.Upload(values, tensor);
        return tensor;
    }

    public override Linear PatchConvolution(string name, int outputs, PatchGeometry geometry, bool bias)
    {
        _source.Require($"{name}.weight", outputs, geometry.Channels, geometry.PatchSize, geometry.PatchSize);
        float[]? values = bias ? _source.ReadVector($"{name}.bias", outputs) : null;
        DenseWeights weights = _backend.LoadDense(
            outputs, geometry.PatchLength, _source.Rows($"{name}.weight", geometry.PatchLength), values);
        _owner.Add(weights);
        return new DenseLinear(name, weights);
    }
}

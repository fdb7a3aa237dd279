using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks;

/// <summary>Finds out, without reading weights, which tensors of a checkpoint an architecture takes and which are linear layers.</summary>
internal sealed class NetworkManifest : ModuleBuilder
{
    private readonly ITensorSource _source;
    private readonly List<LinearLayerInfo> _linearLayers = [];
    private readonly List<string> _parameters = [];

    private NetworkManifest(ModelConfig config, ITensorSource source, CheckpointNames names)
        : base(config)
        => (_source, Names) = (source, names);

    /// <summary>Gets how checkpoints of the architecture differ in their names.</summary>
    public CheckpointNames Names { get; }

    /// <summary>Gets the tensors that the network is built from.</summary>
    public ITensorSource Source => _source;

    /// <summary>Gets the linear layers in the order in which the network builds them, those of experts' own heads left out.</summary>
    public IReadOnlyList<LinearLayerInfo> LinearLayers => _linearLayers;

    /// <summary>Gets the names of the other parameters.</summary>
    public IReadOnlyList<string> Parameters => _parameters;

    /// <summary>Gets what the network takes.</summary>
    public IReadOnlyList<NetworkPort> Inputs { get; private set; } = [];

    /// <summary>Gets what it gives.</summary>
    public IReadOnlyList<NetworkPort> Outputs { get; private set; } = [];

    /// <summary>Gets a value indicating whether the network predicts tokens.</summary>
    public bool CanGenerate { get; private set; }

    /// <summary>Reads the manifest of a plain (not fused) checkpoint, checking names and shapes.</summary>
    /// <exception cref="SmileException">The architecture is unknown, or config and tensors don't fit together.</exception>
    public static NetworkManifest Read(ModelConfig config, ITensorSource source)
    {
        IArchitecture architecture = Architectures.Find(config);
        var manifest = new NetworkManifest(config, source, architecture.Names);
        Network network = architecture.Build(manifest);
        (manifest.Inputs, manifest.Outputs, manifest.CanGenerate) = (network.Inputs, network.Outputs, network is IGenerativeNetwork);
        return manifest;
    }

    public override LinearLayerInfo? FindLinear(string name) => DenseLinearLoader.Find(_source, name);

    public override Linear Linear(string name, int outputs, int inputs, bool bias)
    {
        LinearLayerInfo layer = FindLinear(name) ?? throw LinearLayerInfoExtensions.Missing(_source, name, outputs, inputs);
        layer.Check(_source, outputs, inputs, bias);
        if (!OwnHeads.IsOwn(name))
        {
            _linearLayers.Add(layer);
        }

        if (bias)
        {
            _source.Require($"{name}.bias", outputs);
        }

        return new Recorded(name, outputs);
    }

    public override Linear TiedLinear(string name, string weight, int outputs, int inputs)
    {
        _source.Require(weight, outputs, inputs);
        _linearLayers.Add(new LinearLayerInfo(name, outputs, inputs, HasBias: false) { WeightName = weight, IsTied = true });
        return new Recorded(name, outputs);
    }

    public override Tensor Parameter(string name, params ReadOnlySpan<int> shape)
    {
        _parameters.Add(_source.Require(name, shape).Name);
        return RecordedTensor.Instance;
    }

    public override Linear PatchConvolution(string name, int outputs, PatchGeometry geometry, bool bias)
    {
        Parameter($"{name}.weight", outputs, geometry.Channels, geometry.PatchSize, geometry.PatchSize);
        if (bias)
        {
            Parameter($"{name}.bias", outputs);
        }

        return new Recorded(name, outputs);
    }

    /// <summary>A layer that is known but not loaded; a network of such layers is only looked at, never run.</summary>
    private sealed class Recorded(string name, int outputs) : Linear
    {
        public override string Name => name;

        public override int Outputs => outputs;

        public override int ProductCount => throw NotLoaded();

        protected override void Prepare(ForwardPass pass, int rows, Span<DenseProduct> products) => throw NotLoaded();

        protected override Tensor Complete(ForwardPass pass, Tensor input, ReadOnlySpan<DenseProduct> products) => throw NotLoaded();

        private InvalidOperationException NotLoaded() => new($"{name} was declared, not loaded.");
    }

    private sealed class RecordedTensor : Tensor
    {
        public static readonly RecordedTensor Instance = new();

        public override void Dispose()
        {
        }
    }
}

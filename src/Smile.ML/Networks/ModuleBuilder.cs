using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Gives an architecture the modules that it is made of, by their names in the checkpoint.</summary>
internal abstract class ModuleBuilder(ModelConfig config)
{
    /// <summary>Gets the model's configuration.</summary>
    public ModelConfig Config => config;

    /// <summary>Gets which heads are experts' own.</summary>
    public OwnHeads OwnHeads { get; } = OwnHeads.Read(config);

    /// <summary>Gets, for each expert with heads of its own, what gives their modules.</summary>
    public IEnumerable<(string Expert, ModuleBuilder Heads)> Experts
        => OwnHeads.Experts.Select(expert => (expert, (ModuleBuilder)new OwnHeadBuilder(this, expert)));

    /// <summary>
    /// Tells whether there is a head to build: its weights are there, or <c>architectures</c> names a class of its kind
    /// (<c>ForSequenceClassification</c>, say), so that a head lost from the file is missed. A head that is the experts' own is there
    /// for the experts that have it, and not for the model.
    /// </summary>
    /// <param name="layer">One of the head's layers.</param>
    /// <param name="kind">The end of the names of the classes that have such a head; null where no class promises it.</param>
    public virtual bool HasHead(string layer, string? kind = null)
        => !OwnHeads.Contains(layer)
            && (FindLinear(layer) is not null
                || (kind is not null && Config.GetStringList("architectures", []).Any(name => name.EndsWith(kind, StringComparison.Ordinal))));

    /// <summary>Looks a linear layer up whose sizes only the checkpoint knows.</summary>
    /// <returns>Its sizes, or null where the checkpoint has no such layer.</returns>
    public abstract LinearLayerInfo? FindLinear(string name);

    /// <summary>Gets a linear layer.</summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="outputs">Output features that the config asks for.</param>
    /// <param name="inputs">Input features that the config asks for.</param>
    /// <param name="bias">Whether the layer has a bias.</param>
    /// <exception cref="SmileException">The checkpoint's layer is missing or of another shape.</exception>
    public abstract Linear Linear(string name, int outputs, int inputs, bool bias);

    /// <summary>
    /// Gets a linear layer without bias whose weight is another module's parameter. Fusing unties it: it then has a weight of its own.
    /// </summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="weight">The tensor that serves as its weight.</param>
    /// <param name="outputs">Output features that the config asks for.</param>
    /// <param name="inputs">Input features that the config asks for.</param>
    /// <exception cref="SmileException">The tensor is missing or of another shape.</exception>
    public abstract Linear TiedLinear(string name, string weight, int outputs, int inputs);

    /// <summary>Gets a parameter that is not a linear layer's, as a matrix [product of the other dimensions, last dimension].</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="shape">The shape that the config asks for. A vector becomes [1, length].</param>
    /// <exception cref="SmileException">The checkpoint's tensor is missing or of another shape.</exception>
    public abstract Tensor Parameter(string name, params ReadOnlySpan<int> shape);

    /// <summary>Gets a convolution over patches that don't overlap: a matrix product per patch that counts as no linear layer.</summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="geometry">The patches.</param>
    /// <param name="bias">Whether the layer has a bias.</param>
    public abstract Linear PatchConvolution(string name, int outputs, PatchGeometry geometry, bool bias);

    /// <summary>Gets a root-mean-square normalisation <c>name.weight</c>.</summary>
    public RmsNorm RmsNorm(string name, int size, float epsilon) => new(Parameter($"{name}.weight", size), epsilon);

    /// <summary>Gets a layer normalisation <c>name.weight</c>, <c>name.bias</c>.</summary>
    public LayerNorm LayerNorm(string name, int size, float epsilon)
        => new(Parameter($"{name}.weight", size), Parameter($"{name}.bias", size), epsilon);
}

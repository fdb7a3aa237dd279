using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Gives an architecture the modules of one expert's own heads, by the names that they have in the expert's checkpoint.</summary>
/// <param name="model">Gives the fused model's modules.</param>
/// <param name="expert">The expert.</param>
internal sealed class OwnHeadBuilder(ModuleBuilder model, string expert) : ModuleBuilder(model.Config.WithoutLabels())
{
    private readonly string _prefix = OwnHeads.Prefix(expert);

    public override LinearLayerInfo? FindLinear(string name) => model.FindLinear(_prefix + name);

    public override bool HasHead(string layer, string? kind = null) => OwnHeads.Contains(expert, layer);

    public override Linear Linear(string name, int outputs, int inputs, bool bias) => model.Linear(_prefix + name, outputs, inputs, bias);

    public override Linear TiedLinear(string name, string weight, int outputs, int inputs)
        => model.TiedLinear(_prefix + name, _prefix + weight, outputs, inputs);

    public override Tensor Parameter(string name, params ReadOnlySpan<int> shape) => model.Parameter(_prefix + name, shape);

    public override Linear PatchConvolution(string name, int outputs, PatchGeometry geometry, bool bias)
        => model.PatchConvolution(_prefix + name, outputs, geometry, bias);
}

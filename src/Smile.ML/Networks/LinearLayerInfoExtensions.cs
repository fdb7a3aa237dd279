using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>Checks linear layers of a checkpoint against what the config asks for.</summary>
internal static class LinearLayerInfoExtensions
{
    /// <summary>Returns the layer when it is as expected.</summary>
    /// <exception cref="SmileException">Its sizes differ, or it lacks or has a bias against expectation.</exception>
    public static LinearLayerInfo Check(this LinearLayerInfo layer, ITensorSource source, int outputs, int inputs, bool bias)
    {
        if (layer.Outputs != outputs || layer.Inputs != inputs)
        {
            throw new SmileException(
                $"{source.Location}: the weight of {layer.Name} is [{layer.Outputs}, {layer.Inputs}]; config.json asks for [{outputs}, {inputs}].");
        }

        return layer.HasBias == bias
            ? layer
            : throw new SmileException(
                $"{source.Location}: {layer.Name} has {(layer.HasBias ? "a" : "no")} bias; expected {(bias ? "one" : "none")}.");
    }

    /// <summary>The error of a layer that is not there.</summary>
    public static SmileException Missing(ITensorSource source, string name, int outputs, int inputs)
        => new($"{source.Location}: tensor {name}.weight is missing; expected floating-point [{outputs}, {inputs}].");
}

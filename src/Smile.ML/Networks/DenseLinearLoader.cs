using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Loads plain layers: <c>name.weight</c> and, where there is one, <c>name.bias</c>.</summary>
internal sealed class DenseLinearLoader(ITensorSource source, Backend backend) : ILinearLoader
{
    // Far beyond any layer, and small enough that kernels can count the values of a few rows in 32 bits.
    private const int MaxFeatures = 1 << 26;

    public LinearLayerInfo? Find(string name) => Find(source, name);

    public Linear Load(LinearLayerInfo layer, ICollection<IDisposable> owner)
    {
        float[]? bias = layer.HasBias ? source.ReadVector($"{layer.Name}.bias", layer.Outputs) : null;
        DenseWeights weights = backend.LoadDense(layer.Outputs, layer.Inputs, source.Rows($"{layer.Name}.weight", layer.Inputs), bias);
        owner.Add(weights);
        return new DenseLinear(layer.Name, weights);
    }

    /// <summary>Looks up <c>name.weight</c>, a matrix, and <c>name.bias</c>.</summary>
    internal static LinearLayerInfo? Find(ITensorSource source, string name)
    {
        if (!source.Tensors.TryGetValue($"{name}.weight", out TensorInfo? weight))
        {
            return null;
        }

        if (weight.Shape.Count != 2 || weight.Shape.Any(dimension => dimension is < 1 or > MaxFeatures) || !weight.Type.IsFloatingPoint())
        {
            throw new SmileException(
                $"{source.Location}: tensor {weight.Name} is {weight.Description}; expected a floating-point matrix [outputs, inputs] of at most {MaxFeatures} each.");
        }

        return new LinearLayerInfo(name, (int)weight.Shape[0], (int)weight.Shape[1], source.Tensors.ContainsKey($"{name}.bias"));
    }
}

namespace Smile.ML.Examples.TinyPools;

/// <summary>Names and shapes of a checkpoint's tensors, in the making.</summary>
internal sealed class TensorList
{
    private readonly List<(string Name, int[] Shape, TensorKind Kind)> _tensors = [];

    public IReadOnlyList<(string Name, int[] Shape, TensorKind Kind)> Tensors => _tensors;

    /// <summary>Adds a linear layer: <c>name.weight</c> [outputs, inputs] and, where it has one, <c>name.bias</c> [outputs].</summary>
    public TensorList Linear(string name, int outputs, int inputs, bool bias = true)
    {
        _tensors.Add(($"{name}.weight", [outputs, inputs], TensorKind.LinearWeight));
        return bias ? Zeros($"{name}.bias", outputs) : this;
    }

    /// <summary>Adds a normalisation: <c>name.weight</c> of ones and, where it has one, <c>name.bias</c> of zeros.</summary>
    public TensorList Norm(string name, int size, bool bias = true)
    {
        _tensors.Add(($"{name}.weight", [size], TensorKind.Ones));
        return bias ? Zeros($"{name}.bias", size) : this;
    }

    /// <summary>Adds a table, a kernel or a single vector of normal values.</summary>
    public TensorList Table(string name, params int[] shape)
    {
        _tensors.Add((name, shape, TensorKind.Table));
        return this;
    }

    private TensorList Zeros(string name, int size)
    {
        _tensors.Add((name, [size], TensorKind.Zeros));
        return this;
    }
}

namespace Smile.ML.Compute;

/// <summary>A weight [outputs, inputs] with an optional bias, in the form in which a backend multiplies by it.</summary>
internal abstract class DenseWeights : IDisposable
{
    /// <summary>Gets the number of output features.</summary>
    public abstract int Outputs { get; }

    /// <summary>Gets the number of input features.</summary>
    public abstract int Inputs { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}

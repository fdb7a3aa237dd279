using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>A plain linear layer: y = x W^T + b.</summary>
internal sealed class DenseLinear(string name, DenseWeights weights) : Linear
{
    public override string Name => name;

    public override int Outputs => weights.Outputs;

    public override int ProductCount => 1;

    protected override void Prepare(ForwardPass pass, int rows, Span<DenseProduct> products)
        => products[0] = new DenseProduct(weights, pass.Backend.Rent(rows, weights.Outputs));

    protected override Tensor Complete(ForwardPass pass, Tensor input, ReadOnlySpan<DenseProduct> products) => products[0].Result;
}

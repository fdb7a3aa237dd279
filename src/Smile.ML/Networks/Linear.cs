using System.Runtime.CompilerServices;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>
/// A linear layer: plain, or routed to experts. A layer takes part in one shared product over its input and then completes its own
/// result, so that layers with the same input (query, key and value, say) are computed in one pass.
/// </summary>
internal abstract class Linear
{
    /// <summary>Gets the layer's name in the checkpoint.</summary>
    public abstract string Name { get; }

    /// <summary>Gets the output features.</summary>
    public abstract int Outputs { get; }

    /// <summary>Gets the number of products that the layer adds to the shared pass.</summary>
    public abstract int ProductCount { get; }

    /// <summary>Computes the layer.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[N, inputs].</param>
    /// <returns>[N, outputs]; the caller disposes it.</returns>
    public Tensor Forward(ForwardPass pass, Tensor input)
    {
        Span<Tensor> results = [null!];
        Forward(pass, input, [this], results);
        return results[0];
    }

    /// <summary>Computes several layers over the same input in one pass.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="input">[N, inputs].</param>
    /// <param name="layers">The layers.</param>
    /// <param name="results">Receives each layer's result [N, outputs]; the caller disposes them.</param>
    public static void Forward(ForwardPass pass, Tensor input, ReadOnlySpan<Linear> layers, Span<Tensor> results)
    {
        pass.Cancellation.ThrowIfCancellationRequested();
        int count = 0;
        foreach (Linear layer in layers)
        {
            count += layer.ProductCount;
            pass.Activations?.OnLinearInput(pass.Backend, layer.Name, input);
        }

        var fewProducts = default(FewProducts);
        Span<DenseProduct> products = fewProducts;
        products = count <= products.Length ? products[..count] : new DenseProduct[count];
        int next = 0;
        foreach (Linear layer in layers)
        {
            layer.Prepare(pass, input.Rows, products.Slice(next, layer.ProductCount));
            next += layer.ProductCount;
        }

        pass.Backend.Multiply(input, products);
        next = 0;
        for (int i = 0; i < layers.Length; i++)
        {
            results[i] = layers[i].Complete(pass, input, products.Slice(next, layers[i].ProductCount));
            next += layers[i].ProductCount;
        }
    }

    /// <summary>Names the layer's products and rents their results.</summary>
    protected abstract void Prepare(ForwardPass pass, int rows, Span<DenseProduct> products);

    /// <summary>Turns the computed products into the layer's result and gives back what else was rented.</summary>
    protected abstract Tensor Complete(ForwardPass pass, Tensor input, ReadOnlySpan<DenseProduct> products);

    /// <summary>Room on the stack for the products of query, key and value, each with its router.</summary>
    [InlineArray(6)]
    private struct FewProducts
    {
        private DenseProduct _first;
    }
}

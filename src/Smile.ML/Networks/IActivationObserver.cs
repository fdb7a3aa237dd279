using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Is told, while a network runs, what goes into its linear layers and what its blocks give. The tensors are lent for the call.</summary>
internal interface IActivationObserver
{
    /// <summary>Called for every linear layer, in the order of the computation.</summary>
    /// <param name="backend">Where the tensor is.</param>
    /// <param name="layer">The layer's name.</param>
    /// <param name="input">[N, inputs], one row per token.</param>
    void OnLinearInput(Backend backend, string layer, Tensor input);

    /// <summary>Called after every block (transformer encoder layer, or layer of a perceptron), in their order.</summary>
    /// <param name="backend">Where the tensor is.</param>
    /// <param name="hidden">[sequences * tokens, hidden], a sequence's tokens in a row, its class token first.</param>
    /// <param name="sequences">Number of sequences.</param>
    void OnBlockOutput(Backend backend, Tensor hidden, int sequences);
}

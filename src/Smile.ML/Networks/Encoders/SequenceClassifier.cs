using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>Classifies sequences by one vector each: an optional dense layer with tanh, as RoBERTa has it, then a linear layer.</summary>
internal sealed class SequenceClassifier(Pooler? dense, Linear output)
{
    /// <summary>Gets the number of classes.</summary>
    public int Classes => output.Outputs;

    /// <summary>Computes the logits [batch, classes]; the caller disposes them.</summary>
    public Tensor Forward(ForwardPass pass, Tensor vectors)
    {
        using Tensor? inner = dense?.Forward(pass, vectors);
        return output.Forward(pass, inner ?? vectors);
    }
}

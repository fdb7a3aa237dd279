using Smile.ML.Compute;

namespace Smile.ML.Networks.Generation;

/// <summary>
/// One batch of sequences that grow by a token per step. Holds what later steps need of the earlier ones: keys and values, and the
/// prediction of each sequence's next token. Used by one thread at a time.
/// </summary>
/// <param name="batch">Number of sequences.</param>
/// <param name="vocabulary">Number of tokens to choose from.</param>
internal abstract class GenerationSession(int batch, int vocabulary) : IDisposable
{
    private readonly float[] _logits = new float[checked(batch * vocabulary)];

    /// <summary>Gets the number of sequences.</summary>
    public int Batch => batch;

    /// <summary>Gets the prediction of a sequence's next token: one logit per token of the vocabulary.</summary>
    public ReadOnlySpan<float> Logits(int sequence) => _logits.AsSpan(sequence * vocabulary, vocabulary);

    /// <summary>Appends one token to every sequence and predicts the next.</summary>
    /// <param name="pass">Backend, observer, cancellation. After a cancelled step the session can only be disposed.</param>
    /// <param name="tokens">One token per sequence. A sequence that has ended gets any token; nothing else depends on it.</param>
    public abstract void Step(ForwardPass pass, ReadOnlySpan<int> tokens);

    /// <summary>Gives the memory back.</summary>
    public abstract void Dispose();

    /// <summary>Takes the prediction of the next tokens, [batch, vocabulary], from the backend.</summary>
    protected void Predict(ForwardPass pass, Tensor logits) => pass.Backend.Download(logits, _logits);
}

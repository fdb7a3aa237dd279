using Smile.ML.Checkpoints;

namespace Smile.ML.Networks.Generation;

/// <summary>A network that predicts, token by token, how a sequence goes on.</summary>
internal interface IGenerativeNetwork
{
    /// <summary>Gets the tokens that end a text, as config.json's <c>eos_token_id</c> names them.</summary>
    IReadOnlyList<int> EndTokens { get; }

    /// <summary>Runs the prompts and predicts each one's first new token.</summary>
    /// <param name="pass">Backend, observer, cancellation.</param>
    /// <param name="inputs">The network's inputs by name, batch first, already checked against its ports.</param>
    /// <returns>The generation under way; the caller disposes it.</returns>
    /// <exception cref="SmileException">A token is outside the vocabulary, or a prompt is empty.</exception>
    GenerationSession Start(ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs);
}

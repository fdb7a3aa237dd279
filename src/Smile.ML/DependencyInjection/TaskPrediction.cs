using Smile.ML.Networks;

namespace Smile.ML.DependencyInjection;

/// <summary>What one task head makes of a sample.</summary>
/// <param name="Task">The head's name.</param>
/// <param name="Label">The likeliest class; of several, the first.</param>
/// <param name="Probabilities">One per class, in the order of <paramref name="ClassNames"/>: the softmax of the head's logits.</param>
/// <param name="ClassNames">The classes' names.</param>
public sealed record TaskPrediction(string Task, string Label, IReadOnlyList<float> Probabilities, IReadOnlyList<string> ClassNames)
{
    /// <summary>Applies a head, and softmax to its logits.</summary>
    /// <exception cref="SmileException">The head doesn't take embeddings of that size, or a logit is not a number.</exception>
    internal static TaskPrediction Of(TaskHead head, ReadOnlySpan<float> embedding)
    {
        if (embedding.Length != head.EmbeddingSize)
        {
            throw new SmileException($"Head {head.Name} takes embeddings of {head.EmbeddingSize} values; the model gives {embedding.Length}.");
        }

        var scores = new float[head.ClassNames.Count];
        head.Score(embedding, scores);
        int best = ClassProbabilities.Softmax(scores);
        return best < 0
            ? throw new SmileException($"Head {head.Name}: the sample's embedding is not finite; expected finite inputs.")
            : new TaskPrediction(head.Name, head.ClassNames[best], scores, head.ClassNames);
    }
}

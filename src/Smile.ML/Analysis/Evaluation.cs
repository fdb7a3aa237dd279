using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>Accuracy of models with frozen task heads.</summary>
public static class Evaluation
{
    private const int BatchSize = 64;

    /// <summary>Computes the share of images whose largest logit is their label's.</summary>
    /// <param name="model">A model whose first output is the embedding.</param>
    /// <param name="head">The task's head.</param>
    /// <param name="data">The task's images.</param>
    /// <param name="observer">Told where every token is routed; or null.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <returns>Percent.</returns>
    /// <exception cref="SmileException">
    /// The model's embedding is not of the head's size, a label is not one of its classes, or an image's embedding is not finite.
    /// </exception>
    /// <exception cref="OperationCanceledException">The evaluation was cancelled.</exception>
    public static double Accuracy(
        SmileModel model, TaskHead head, TaskData data, IRoutingObserver? observer = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(head);
        ArgumentNullException.ThrowIfNull(data);
        NetworkPort output = model.Outputs[0];
        if (output.Shape.Count != 1 || output.Shape[0] != head.EmbeddingSize || model.Inputs.Skip(1).Any(port => !port.IsOptional))
        {
            throw new SmileException(
                $"Head {head.Name} takes embeddings of {head.EmbeddingSize} values; the model gives {output.Name} [batch, {string.Join(", ", output.Shape)}].");
        }

        int wrong = data.Labels.ToList().FindIndex(label => label < 0 || label >= head.ClassNames.Count);
        if (wrong >= 0)
        {
            throw new SmileException($"Task {data.Name}, image {wrong}: its label is {data.Labels[wrong]}; head {head.Name} has classes 0 to {head.ClassNames.Count - 1}.");
        }

        int correct = 0;
        var logits = new float[head.ClassNames.Count];
        for (int start = 0; start < data.Count; start += BatchSize)
        {
            int count = Math.Min(BatchSize, data.Count - start);
            var inputs = new Dictionary<string, HostTensor> { [model.Inputs[0].Name] = data.ReadImages(start, count) };
            ReadOnlySpan<float> embeddings = model.Run(inputs, [output.Name], observer, cancellationToken)[output.Name].Floats!;
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<float> embedding = embeddings.Slice(i * head.EmbeddingSize, head.EmbeddingSize);
                if (embedding.ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
                {
                    throw new SmileException($"Task {data.Name}, image {start + i}: its embedding is not finite; expected finite weights and images.");
                }

                head.Score(embedding, logits);
                int best = 0;
                for (int c = 1; c < logits.Length; c++)
                {
                    best = logits[c] > logits[best] ? c : best;
                }

                correct += best == data.Labels[start + i] ? 1 : 0;
            }
        }

        return 100.0 * correct / data.Count;
    }
}

namespace Smile.ML.Networks;

/// <summary>What the logits of a classifier say.</summary>
internal static class ClassProbabilities
{
    /// <summary>Makes probabilities of a sample's output.</summary>
    /// <param name="output">What the head takes; the logits where there is no head.</param>
    /// <param name="head">What makes logits of the output; null where they are the output.</param>
    /// <param name="probabilities">Receives one per class.</param>
    /// <returns>As <see cref="Softmax"/>.</returns>
    public static int Compute(ReadOnlySpan<float> output, TaskHead? head, Span<float> probabilities)
    {
        if (head is null)
        {
            output.CopyTo(probabilities);
        }
        else
        {
            head.Score(output, probabilities);
        }

        return Softmax(probabilities);
    }

    /// <summary>Turns logits into probabilities in place: p_c = exp(l_c - max l) / sum over c of exp(l_c - max l).</summary>
    /// <returns>The likeliest class, of several the first; -1 where a logit is not a number.</returns>
    public static int Softmax(Span<float> scores)
    {
        int best = 0;
        for (int c = 1; c < scores.Length; c++)
        {
            best = scores[c] > scores[best] ? c : best;
        }

        float largest = scores[best];
        double sum = 0;
        foreach (float logit in scores)
        {
            sum += Math.Exp(logit - largest);
        }

        for (int c = 0; c < scores.Length; c++)
        {
            scores[c] = (float)(Math.Exp(scores[c] - largest) / sum);
        }

        return double.IsNaN(sum) ? -1 : best;
    }
}

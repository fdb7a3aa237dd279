namespace Smile.ML.Networks;

/// <summary>What the logits of a classifier say.</summary>
internal static class ClassProbabilities
{
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

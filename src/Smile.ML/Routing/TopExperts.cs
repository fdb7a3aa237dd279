namespace Smile.ML.Routing;

/// <summary>The selection that routers share: softmax over all experts, the best of them, their weights renormalised.</summary>
internal static class TopExperts
{
    /// <summary>Selects as many experts as <paramref name="selected"/> is long.</summary>
    /// <param name="logits">One per expert.</param>
    /// <param name="selected">Receives the experts of the largest logits, largest first; of equal ones the lower number first.</param>
    /// <param name="weights">Receives their softmax weights, divided by their sum.</param>
    public static void Select(ReadOnlySpan<float> logits, Span<int> selected, Span<float> weights)
    {
        for (int rank = 0; rank < selected.Length; rank++)
        {
            int best = -1;
            for (int expert = 0; expert < logits.Length; expert++)
            {
                // A NaN logit loses against every number, so that a broken token still goes somewhere.
                if ((best < 0 || logits[expert] > logits[best] || float.IsNaN(logits[best])) && !selected[..rank].Contains(expert))
                {
                    best = expert;
                }
            }

            selected[rank] = best;
        }

        if (selected.Length == 1)
        {
            weights[0] = 1;
            return;
        }

        // Softmax over all experts and renormalising over the chosen ones is softmax over the chosen ones.
        double sum = 0;
        foreach (int expert in selected)
        {
            sum += Math.Exp((double)logits[expert] - logits[selected[0]]);
        }

        for (int rank = 0; rank < selected.Length; rank++)
        {
            weights[rank] = (float)(Math.Exp((double)logits[selected[rank]] - logits[selected[0]]) / sum);
        }
    }
}

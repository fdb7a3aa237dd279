namespace Smile.ML.Analysis;

/// <summary>
/// How clearly tokens choose: counts of the relative margin (r_1 - r_2) / r_1 of the two largest router logits, in bins of equal width
/// from 0 to 1, for tokens that went to their own task's expert and for the others.
/// </summary>
/// <param name="Own">Tokens per bin that went to their own task's expert.</param>
/// <param name="Other">Tokens per bin that went elsewhere.</param>
public sealed record MarginHistogram(IReadOnlyList<long> Own, IReadOnlyList<long> Other)
{
    /// <summary>The number of bins.</summary>
    public const int BinCount = 20;

    /// <summary>Gets the number of tokens.</summary>
    public long Tokens => Own.Sum() + Other.Sum();

    /// <summary>Finds the bin of a token.</summary>
    /// <param name="logits">Its router logits, one per expert.</param>
    internal static int BinOf(ReadOnlySpan<float> logits)
    {
        float first = 0, second = 0;
        foreach (float logit in logits)
        {
            (first, second) = logit > first ? (logit, first) : (first, MathF.Max(second, logit));
        }

        // All logits 0, as where nothing changed but biases: no margin.
        double margin = first > 0 ? (first - second) / (double)first : 0;
        return Math.Clamp((int)(margin * BinCount), 0, BinCount - 1);
    }
}

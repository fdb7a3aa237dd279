using Smile.ML.LinearAlgebra;

namespace Smile.ML.Networks.Generation;

/// <summary>Chooses a token from logits: the most likely one, or one drawn at random. Holds no state: a choice depends on its arguments alone.</summary>
internal sealed class TokenSampler(GenerationOptions options)
{
    /// <summary>Chooses a token.</summary>
    /// <param name="logits">One per token of the vocabulary. A NaN is never chosen.</param>
    /// <param name="sequence">Which random numbers to draw: each sequence of a batch has its own.</param>
    /// <param name="position">Index among the sequence's new tokens.</param>
    /// <exception cref="SmileException">No logit is a finite number.</exception>
    public int Choose(ReadOnlySpan<float> logits, int sequence, int position)
    {
        int best = MostLikely(logits);
        return options.Temperature > 0 ? Draw(logits, logits[best], Uniform(options.Seed, sequence, position)) : best;
    }

    /// <summary>The largest logit's index; of equal ones the lowest.</summary>
    private static int MostLikely(ReadOnlySpan<float> logits)
    {
        int best = -1;
        for (int token = 0; token < logits.Length; token++)
        {
            if (float.IsFinite(logits[token]) && (best < 0 || logits[token] > logits[best]))
            {
                best = token;
            }
        }

        return best >= 0 ? best : throw new SmileException("The model predicts no token: none of its logits is a finite number.");
    }

    /// <summary>Draws from softmax(logits / temperature), cut to the most likely tokens.</summary>
    private int Draw(ReadOnlySpan<float> logits, float highest, double uniform)
    {
        int[] tokens = Candidates(logits);
        var weights = new double[tokens.Length];
        double total = 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            weights[i] = Math.Exp(((double)logits[tokens[i]] - highest) / options.Temperature);
            total += weights[i];
        }

        int kept = tokens.Length;
        if (options.TopP < 1)
        {
            double needed = options.TopP * total;
            total = 0;
            kept = 0;
            while (kept < weights.Length && total < needed)
            {
                total += weights[kept++];
            }
        }

        // Rounding may leave a rest behind the last weight; the last token that can be drawn gets it.
        double rest = uniform * total;
        int chosen = 0;
        for (int i = 0; i < kept && rest >= 0; i++)
        {
            if (weights[i] > 0)
            {
                chosen = tokens[i];
                rest -= weights[i];
            }
        }

        return chosen;
    }

    /// <summary>The tokens to draw from before <see cref="GenerationOptions.TopP"/>, the likeliest first, of equal ones the lower id.</summary>
    private int[] Candidates(ReadOnlySpan<float> logits)
    {
        var tokens = new int[logits.Length];
        int count = 0;
        for (int token = 0; token < logits.Length; token++)
        {
            if (float.IsFinite(logits[token]))
            {
                tokens[count++] = token;
            }
        }

        float[] values = logits.ToArray();
        Array.Sort(tokens, 0, count, Comparer<int>.Create((x, y) => values[x] == values[y] ? x.CompareTo(y) : values[y].CompareTo(values[x])));
        return tokens[..Math.Min(count, options.TopK ?? count)];
    }

    /// <summary>
    /// A number uniform in [0, 1), a multiple of 2^-53, for each sequence and position: <see cref="SplitMix64"/> with one stream per sequence.
    /// </summary>
    private static double Uniform(ulong seed, int sequence, int position)
    {
        ulong stream = SplitMix64.Mix(seed + ((ulong)sequence * SplitMix64.Increment));
        return SplitMix64.UnitInterval(stream + ((ulong)(position + 1) * SplitMix64.Increment));
    }
}

namespace Smile.ML.Fusion.Merging;

/// <summary>Combines the same elements of all task vectors.</summary>
/// <param name="taskVectors">One piece per expert, all of the same elements.</param>
/// <param name="merged">Receives the combined elements.</param>
internal delegate void Combination(float[][] taskVectors, double[] merged);

/// <summary>The combinations that several methods use.</summary>
internal static class Combinations
{
    /// <summary>sum_t tau_t.</summary>
    public static void Sum(float[][] taskVectors, double[] merged)
    {
        Array.Clear(merged);
        foreach (float[] taskVector in taskVectors)
        {
            for (int i = 0; i < merged.Length; i++)
            {
                merged[i] += taskVector[i];
            }
        }
    }

    /// <summary>sum_t a_t tau_t.</summary>
    public static void WeightedSum(float[][] taskVectors, double[] weights, double[] merged)
    {
        Array.Clear(merged);
        for (int expert = 0; expert < taskVectors.Length; expert++)
        {
            for (int i = 0; i < merged.Length; i++)
            {
                merged[i] += weights[expert] * taskVectors[expert][i];
            }
        }
    }

    /// <summary>1/T sum_t tau_t.</summary>
    public static void Mean(float[][] taskVectors, double[] merged)
    {
        Sum(taskVectors, merged);
        for (int i = 0; i < merged.Length; i++)
        {
            merged[i] /= taskVectors.Length;
        }
    }

    /// <summary>Gets the combination of TIES's last two steps: elect the sign of the sum, then sum or average the entries of that sign.</summary>
    public static Combination Elect(AgreeingEntries agreeing) => (taskVectors, merged) =>
    {
        Sum(taskVectors, merged);
        for (int i = 0; i < merged.Length; i++)
        {
            double elected = merged[i];
            double sum = 0;
            int count = 0;
            foreach (float[] taskVector in taskVectors)
            {
                if (taskVector[i] * elected > 0)
                {
                    sum += taskVector[i];
                    count++;
                }
            }

            merged[i] = agreeing == AgreeingEntries.Mean && count > 0 ? sum / count : sum;
        }
    };
}

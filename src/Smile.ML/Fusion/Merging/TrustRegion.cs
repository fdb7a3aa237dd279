namespace Smile.ML.Fusion.Merging;

/// <summary>
/// Task arithmetic in the trust region (Sun et al., arXiv 2501.15065), zero-shot: Omega = sum over i != j of |tau_i| |tau_j| says where
/// tasks would disturb each other; entries above its quantile over the whole model stay at theta_0.
/// </summary>
public sealed record TrustRegion : MergeMethod
{
    /// <summary>Gets the quantile of Omega up to which entries are merged.</summary>
    public double Quantile { get; init; } = 0.99;

    /// <summary>Gets the factor of the task vectors.</summary>
    public double Scale { get; init; } = 0.3;

    /// <inheritdoc/>
    public override string Name => "trust-region";

    /// <inheritdoc/>
    public override string Summary => "task arithmetic without the entries that are large in several tasks";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("quantile", "share of the entries that is merged", Interval.Unit, Quantile, value => this with { Quantile = value }),
        MergeParameter.Number("scale", "factor of the sum (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
    {
        float threshold = FindThreshold(taskVectors);
        return new TaskVectorMerger(taskVectors, (pieces, merged) => SumTrusted(pieces, threshold, merged), Scale);
    }

    private float FindThreshold(TaskVectors taskVectors)
    {
        // No value lies strictly between neighbouring ranks, so the lower one separates as an interpolated quantile would.
        long count = taskVectors.Tensors.Sum(tensor => tensor.ElementCount);
        var selection = new MagnitudeSelection((long)Math.Floor(Quantile * (count - 1)));
        for (int pass = 0; pass < MagnitudeSelection.Passes; pass++)
        {
            foreach (TensorBlock block in taskVectors.Tensors.SelectMany(TensorBlock.Split))
            {
                var pieces = new float[taskVectors.Count][];
                taskVectors.Threads.For(pieces.Length, expert => taskVectors.Read(expert, block, pieces[expert] = new float[block.Length]));
                selection.Count(Disturbance(pieces));
            }

            selection.EndPass();
        }

        return selection.Result;
    }

    private static void SumTrusted(float[][] pieces, float threshold, double[] merged)
    {
        Combinations.Sum(pieces, merged);
        float[] disturbance = Disturbance(pieces);
        for (int i = 0; i < merged.Length; i++)
        {
            merged[i] = disturbance[i] <= threshold ? merged[i] : 0;
        }
    }

    /// <summary>Computes Omega as 2 sum over i &lt; j, which cancels nothing.</summary>
    private static float[] Disturbance(float[][] pieces)
    {
        var omega = new float[pieces[0].Length];
        for (int i = 0; i < omega.Length; i++)
        {
            double before = 0;
            double sum = 0;
            foreach (float[] piece in pieces)
            {
                double magnitude = Math.Abs(piece[i]);
                sum += magnitude * before;
                before += magnitude;
            }

            omega[i] = (float)(2 * sum);
        }

        return omega;
    }
}

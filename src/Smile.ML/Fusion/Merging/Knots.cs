using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// KnOTS (Stoica et al., Model merging with SVD to tie the knots, arXiv 2410.19735): of each linear layer, [D_1 ... D_T] = U S [V_1 ...
/// V_T]^T puts the tasks into one basis; the V_t are merged as TIES merges task vectors, and U S V^T multiplied out. Trimming is by layer,
/// not over the model. Other tensors take the mean task vector. Both are scaled and added to theta_0. Holds a layer's deltas of all
/// experts at once.
/// </summary>
public sealed record Knots : MergeMethod
{
    /// <summary>Gets the share of each V_t's entries that trimming keeps.</summary>
    public double Keep { get; init; } = 0.2;

    /// <summary>Gets what becomes of the entries that have the elected sign.</summary>
    public AgreeingEntries Agreeing { get; init; } = AgreeingEntries.Mean;

    /// <summary>Gets the factor of the merged task vector.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "knots";

    /// <inheritdoc/>
    public override string Summary => "TIES in the basis of a joint singular value decomposition";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number("keep", "share of each V_t that is kept", Interval.UnitWithoutZero, Keep, value => this with { Keep = value }),
        MergeParameter.Choice("merge", "what becomes of agreeing entries", Agreeing, value => this with { Agreeing = value }),
        MergeParameter.Number("scale", "factor of the merged task vector (lambda)", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new LinearLayerMerger(taskVectors, layer => MergeLayer(taskVectors, layer), Scale);

    private Matrix MergeLayer(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        using Matrix joint = SideBySide(taskVectors, layer, out bool[] isChanged);
        using TruncatedSvd svd = TruncatedSvd.Compute(joint, Math.Min(joint.Rows, joint.Columns), taskVectors.Threads);
        foreach (int column in Enumerable.Range(0, joint.Columns).Where(column => !isChanged[column]))
        {
            // Of an input that a task left alone, V_t is zero; rounding has left noise there, whose signs would be counted.
            for (int row = 0; row < svd.Rank; row++)
            {
                svd.RightTransposed.Row(row)[column] = 0;
            }
        }

        using Matrix merged = MergeRight(svd.RightTransposed, layer.Inputs, taskVectors.Count);
        return SingularTriplets.MultiplyOut(svd.LeftTransposed, svd.SingularValues, merged, taskVectors.Threads);
    }

    /// <summary>Puts the deltas side by side [outputs, T inputs], and tells which columns are not zero.</summary>
    private static Matrix SideBySide(TaskVectors taskVectors, LinearLayerInfo layer, out bool[] isChanged)
    {
        var joint = new Matrix(layer.Outputs, checked(taskVectors.Count * layer.Inputs));
        isChanged = new bool[joint.Columns];
        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
            for (int row = 0; row < layer.Outputs; row++)
            {
                ReadOnlySpan<float> values = delta.ToMatrix().Row(row);
                values.CopyTo(joint.Row(row)[(expert * layer.Inputs)..]);
                for (int i = 0; i < values.Length; i++)
                {
                    isChanged[(expert * layer.Inputs) + i] |= values[i] != 0;
                }
            }
        }

        return joint;
    }

    /// <summary>Trims the tasks' parts of the right vectors [r, T inputs], elects signs and merges them to [r, inputs].</summary>
    private Matrix MergeRight(Matrix right, int inputs, int tasks)
    {
        float[] thresholds = [.. Enumerable.Range(0, tasks).Select(task => Threshold(right, task * inputs, inputs))];
        Combination elect = Combinations.Elect(Agreeing);
        var result = new Matrix(right.Rows, inputs);
        var pieces = new float[tasks][];
        var merged = new double[inputs];
        for (int row = 0; row < right.Rows; row++)
        {
            for (int task = 0; task < tasks; task++)
            {
                pieces[task] = right.Row(row).Slice(task * inputs, inputs).ToArray();
                MagnitudeTrim.KeepBetween(pieces[task], thresholds[task], float.MaxValue);
            }

            elect(pieces, merged);
            VectorAlgebra.Narrow(merged, result.Row(row));
        }

        return result;
    }

    private float Threshold(Matrix right, int start, int inputs)
    {
        long count = (long)right.Rows * inputs;
        if (count == 0)
        {
            return 0;
        }

        var selection = new MagnitudeSelection(count - Math.Clamp((long)Math.Round(Keep * count), 1, count));
        for (int pass = 0; pass < MagnitudeSelection.Passes; pass++)
        {
            for (int row = 0; row < right.Rows; row++)
            {
                selection.Count(right.Row(row).Slice(start, inputs));
            }

            selection.EndPass();
        }

        return selection.Result;
    }
}

using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// WUDI (Cheng et al., Whoever started the interference should end it, arXiv 2503.08099) in closed form: of each linear layer, the D that
/// minimises sum_t ||(D - D_t) D_t^T||^2 / ||D_t||^2 + mu ||D - M||^2 with M the mean task vector, which is (R + mu M) (S + mu)^-1 with
/// S = sum_t D_t^T D_t / ||D_t||^2 and R = sum_t D_t D_t^T D_t / ||D_t||^2. Other tensors take M. Both are scaled and added to theta_0.
/// Computed in float64.
/// </summary>
public sealed record Wudi : MergeMethod
{
    /// <summary>
    /// Gets mu as a multiple of S's mean eigenvalue. The paper descends and stops early; this stands for that. With 0, the
    /// problem's exact minimum (R S^+), tasks whose outputs are together about as many as the inputs make S nearly singular, and D many times
    /// larger than any task's.
    /// </summary>
    public double Damping { get; init; } = 1e-3;

    /// <summary>Gets the factor of the merged task vector.</summary>
    public double Scale { get; init; } = 1;

    /// <inheritdoc/>
    public override string Name => "wudi";

    /// <inheritdoc/>
    public override string Summary => "the least interference with every task's row space, in closed form";

    /// <inheritdoc/>
    public override IReadOnlyList<MergeParameter> Parameters =>
    [
        MergeParameter.Number(
            "damping", "pull towards the mean task vector, in mean eigenvalues", Interval.NonNegative, Damping, value => this with { Damping = value }),
        MergeParameter.Number("scale", "factor of the merged task vector", Interval.Finite, Scale, value => this with { Scale = value }),
    ];

    internal override TensorMerger Prepare(TaskVectors taskVectors)
        => new LinearLayerMerger(taskVectors, layer => MergeLayer(taskVectors, layer), Scale);

    private Matrix MergeLayer(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        SymmetricEigen eigen = SymmetricEigen.Compute(
            SumOfGrams(taskVectors, layer), layer.Inputs, taskVectors.Threads.Cancellation);

        // S's eigenvalues are squares of singular values. Where S vanishes so does every D_t, and R with it.
        double tolerance = Math.Pow(TruncatedSvd.RelativeTolerance(layer.Outputs, layer.Inputs), 2);
        int rank = eigen.Values.Count(value => value > tolerance * eigen.Values[0]);

        // (R + mu M) (S + mu)^-1 = sum_j ((R + mu M) e_j / (lambda_j + mu)) e_j^T over the eigenvectors e_j.
        double mu = Damping * eigen.Values.Sum() / layer.Inputs;
        var left = new double[rank][];
        for (int j = 0; j < rank; j++)
        {
            left[j] = new double[layer.Outputs];
        }

        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            AddResponses(taskVectors, layer, expert, eigen, mu, left);
        }

        var merged = new Matrix(layer.Outputs, layer.Inputs);
        taskVectors.Threads.For(layer.Outputs, row =>
        {
            var sum = new double[layer.Inputs];
            for (int j = 0; j < rank; j++)
            {
                VectorAlgebra.AddScaled(left[j][row], eigen.Vectors[j], sum);
            }

            VectorAlgebra.Narrow(sum, merged.Row(row));
        });
        return merged;
    }

    /// <summary>S.</summary>
    private static double[][] SumOfGrams(TaskVectors taskVectors, LinearLayerInfo layer)
    {
        double[][] sum = [.. Enumerable.Range(0, layer.Inputs).Select(_ => new double[layer.Inputs])];
        for (int expert = 0; expert < taskVectors.Count; expert++)
        {
            using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
            using PanelMatrix panels = PanelMatrix.FromRows(layer.Outputs, layer.Inputs, delta.ToMatrix(), taskVectors.Threads, out double energy);
            if (energy > 0)
            {
                double[][] gram = GramMatrix.Compute(panels, taskVectors.Threads.Cancellation);
                for (int row = 0; row < sum.Length; row++)
                {
                    VectorAlgebra.AddScaled(1 / energy, gram[row], sum[row]);
                }
            }
        }

        return sum;
    }

    /// <summary>Adds an expert's part, (D_t D_t^T D_t / ||D_t||^2 + mu D_t / T) e_j / (lambda_j + mu), to each j's sum.</summary>
    private static void AddResponses(
        TaskVectors taskVectors, LinearLayerInfo layer, int expert, SymmetricEigen eigen, double mu, double[][] sums)
    {
        using WeightDelta delta = taskVectors.ReadDelta(expert, layer);
        double energy = delta.ToMatrix().View.Energy();
        if (energy == 0)
        {
            return;
        }

        double[][] rows = delta.ToMatrix().ToRows();
        taskVectors.Threads.For(sums.Length, j =>
        {
            double[] response = [.. rows.Select(row => VectorAlgebra.Dot(row, eigen.Vectors[j]))];
            var back = new double[layer.Inputs];
            for (int i = 0; i < rows.Length; i++)
            {
                VectorAlgebra.AddScaled(response[i], rows[i], back);
            }

            for (int i = 0; i < rows.Length; i++)
            {
                sums[j][i] += ((VectorAlgebra.Dot(rows[i], back) / energy) + (mu / taskVectors.Count * response[i])) / (eigen.Values[j] + mu);
            }
        });
    }
}

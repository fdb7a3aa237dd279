using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Fusion;

/// <summary>A delta given as a product of thin factors, D = scale * B A, decomposed without ever being formed.</summary>
internal sealed class LowRankWeightDelta : WeightDelta
{
    private readonly LowRankFactors _factors;
    private Matrix? _matrix;

    /// <summary>Takes the factors.</summary>
    public LowRankWeightDelta(LowRankFactors factors)
    {
        _factors = factors;
        Magnitude = (float)(Math.Abs(factors.Scale) * Norm(factors.Left) * Norm(factors.Right));
    }

    /// <summary>Gets |scale| * ||B|| * ||A|| in Frobenius norms, which is 0 when a factor is.</summary>
    public override float Magnitude { get; }

    public override TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool)
    {
        using Matrix b = ToMatrix(_factors.Left, _factors.Rows, _factors.Rank);
        using Matrix a = ToMatrix(_factors.Right, _factors.Rank, _factors.Columns);
        return TruncatedSvd.OfProduct(b, a, _factors.Scale, rank, pool, keepNullSpace);
    }

    public override Matrix ToMatrix()
    {
        if (_matrix is null)
        {
            _matrix = new Matrix(_factors.Rows, _factors.Columns);
            for (int row = 0; row < _factors.Rows; row++)
            {
                _factors.AddTo((long)row * _factors.Columns, _matrix.Row(row));
            }
        }

        return _matrix;
    }

    public override void Dispose() => _matrix?.Dispose();

    private static Matrix ToMatrix(float[] values, int rows, int columns)
    {
        var matrix = new Matrix(rows, columns);
        values.CopyTo(matrix.Span);
        return matrix;
    }

    private static double Norm(float[] values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += (double)value * value;
        }

        return Math.Sqrt(sum);
    }
}

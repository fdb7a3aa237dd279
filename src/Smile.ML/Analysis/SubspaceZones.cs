using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;

namespace Smile.ML.Analysis;

/// <summary>The zones of one pretrained weight, and the projections of deltas onto them: U_z U_z^T D V_z V_z^T.</summary>
internal sealed class SubspaceZones : IDisposable
{
    private readonly TruncatedSvd _svd;

    private SubspaceZones(TruncatedSvd svd, int boundary) => (_svd, Boundary) = (svd, boundary);

    /// <summary>Gets k50, the number of directions of zone I.</summary>
    public int Boundary { get; }

    /// <summary>Decomposes a pretrained weight.</summary>
    /// <param name="weight">W_0 [m, n].</param>
    /// <param name="threads">The threads to use.</param>
    public static SubspaceZones Compute(Matrix weight, WorkerPool threads)
    {
        TruncatedSvd svd = TruncatedSvd.Compute(weight, Math.Min(weight.Rows, weight.Columns), threads, keepNullSpace: true);
        double half = svd.SingularValues.Sum() / 2;
        double sum = 0;
        int boundary = 0;
        while (boundary < svd.Rank && sum < half)
        {
            sum += svd.SingularValues[boundary++];
        }

        return new SubspaceZones(svd, boundary);
    }

    /// <summary>Projects a delta onto a zone.</summary>
    /// <param name="delta">D [m, n].</param>
    /// <param name="zone">The zone.</param>
    /// <param name="threads">The threads to use.</param>
    /// <returns>[m, n]; the caller disposes it.</returns>
    public Matrix Project(Matrix delta, SubspaceZone zone, WorkerPool threads) => zone switch
    {
        SubspaceZone.I => Within(delta, 0, Boundary, threads),
        SubspaceZone.II => Within(delta, Boundary, _svd.Rank - Boundary, threads),
        _ => Outside(delta, threads),
    };

    /// <inheritdoc/>
    public void Dispose() => _svd.Dispose();

    /// <summary>U_z (U_z^T D V_z) V_z^T for consecutive directions of the thin decomposition.</summary>
    private Matrix Within(Matrix delta, int start, int count, WorkerPool threads)
    {
        if (count == 0)
        {
            return new Matrix(delta.Rows, delta.Columns);
        }

        MatrixView left = _svd.LeftTransposed.Slice(start, count), right = _svd.RightTransposed.Slice(start, count);
        using Matrix rows = Matrix.Multiply(left, delta.View, threads);
        using Matrix core = Matrix.MultiplyByTransposed(rows.View, right, threads);
        using Matrix scaled = Matrix.Multiply(core.View, right, threads);
        using Matrix basis = TransposeRows(left);
        return Matrix.Multiply(basis.View, scaled.View, threads);
    }

    /// <summary>(I - U_1 U_1^T) D (I - V_1 V_1^T): the full decomposition's vectors beyond zone I need not be known.</summary>
    private Matrix Outside(Matrix delta, WorkerPool threads)
    {
        var rest = new Matrix(delta.Rows, delta.Columns);
        delta.View.CopyTo(rest.View);
        if (Boundary == 0)
        {
            return rest;
        }

        MatrixView left = _svd.LeftTransposed.Slice(0, Boundary), right = _svd.RightTransposed.Slice(0, Boundary);
        using (Matrix components = Matrix.Multiply(left, rest.View, threads))
        using (Matrix basis = TransposeRows(left))
        using (Matrix inside = Matrix.Multiply(basis.View, components.View, threads))
        {
            Subtract(rest, inside);
        }

        using (Matrix components = Matrix.MultiplyByTransposed(rest.View, right, threads))
        using (Matrix inside = Matrix.Multiply(components.View, right, threads))
        {
            Subtract(rest, inside);
        }

        return rest;
    }

    private static Matrix TransposeRows(MatrixView rows)
    {
        using var copy = new Matrix(rows.Rows, rows.Columns);
        rows.CopyTo(copy.View);
        return copy.Transpose();
    }

    private static void Subtract(Matrix from, Matrix what)
    {
        for (int row = 0; row < from.Rows; row++)
        {
            Span<float> target = from.Row(row);
            ReadOnlySpan<float> values = what.Row(row);
            for (int i = 0; i < target.Length; i++)
            {
                target[i] -= values[i];
            }
        }
    }
}

using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// Householder QR with column pivoting in float64: A P = Q R. Stops where what remains is rounding noise, so that
/// <see cref="Rank"/> is A's rank in float64.
/// </summary>
internal sealed class PivotedQr
{
    // Relative to the longest column: a few units of float64's rounding.
    private const double NoiseLevel = 1e-15;

    private readonly double[][] _columns;
    private readonly double[] _diagonal;
    private readonly int[] _order;

    /// <summary>Factors a matrix.</summary>
    /// <param name="columns">A's columns. Taken over and overwritten.</param>
    /// <param name="length">The length of a column: A's rows.</param>
    /// <param name="pool">The threads to use.</param>
    public PivotedQr(double[][] columns, int length, WorkerPool pool)
    {
        _columns = columns;
        Length = length;
        int steps = Math.Min(length, columns.Length);
        _diagonal = new double[steps];
        _order = [.. Enumerable.Range(0, columns.Length)];
        var update = new Update(columns);
        update.MeasureAll();
        double noise = NoiseLevel * Math.Sqrt(update.SquaredNorms.DefaultIfEmpty().Max());
        while (Rank < steps && Reduce(ref update, noise, pool))
        {
            Rank++;
        }
    }

    /// <summary>Gets the number of columns of Q and of rows of R.</summary>
    public int Rank { get; }

    /// <summary>Gets the rows of A.</summary>
    public int Length { get; }

    /// <summary>Gets R with its columns in A's order: R P^T.</summary>
    /// <returns><see cref="Rank"/> rows.</returns>
    public double[][] UnpermutedR()
    {
        var rows = new double[Rank][];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = new double[_columns.Length];
            rows[i][_order[i]] = _diagonal[i];
            for (int j = i + 1; j < _columns.Length; j++)
            {
                rows[i][_order[j]] = _columns[j][i];
            }
        }

        return rows;
    }

    /// <summary>Multiplies Q by vectors.</summary>
    /// <param name="vectors">Vectors of <see cref="Rank"/> elements.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>As many vectors of <see cref="Length"/> elements.</returns>
    public double[][] MultiplyQ(double[][] vectors, WorkerPool pool)
    {
        var work = new Multiplication(this, vectors);
        pool.For(vectors.Length, ref work);
        return work.Products;
    }

    /// <summary>Brings the longest remaining column forward and reflects it onto its first remaining element.</summary>
    private bool Reduce(ref Update update, double noise, WorkerPool pool)
    {
        int step = Rank;
        double[] norms = update.SquaredNorms;
        int pivot = step;
        for (int j = step + 1; j < norms.Length; j++)
        {
            if (norms[j] > norms[pivot])
            {
                pivot = j;
            }
        }

        double norm = Math.Sqrt(norms[pivot]);
        if (!(norm > noise))
        {
            return false;
        }

        (_columns[step], _columns[pivot]) = (_columns[pivot], _columns[step]);
        (_order[step], _order[pivot]) = (_order[pivot], _order[step]);
        norms[pivot] = norms[step];

        // H = I - v v^T with v scaled to |v|^2 = 2; the sign avoids cancellation.
        Span<double> v = _columns[step].AsSpan(step);
        double diagonal = v[0] > 0 ? -norm : norm;
        double head = Math.Abs(v[0]) + norm;
        v[0] = v[0] > 0 ? head : -head;
        VectorAlgebra.Scale(1 / Math.Sqrt(norm * head), v);
        _diagonal[step] = diagonal;

        update.Step = step;
        update.Run(pool);
        return true;
    }

    /// <summary>Reflects the columns behind a step and measures what remains of them below it.</summary>
    private struct Update(double[][] columns) : IParallelWork
    {
        private const int ColumnsPerPiece = 8;
        private const int ParallelThreshold = 100_000;

        public double[] SquaredNorms { get; } = new double[columns.Length];

        public int Step { get; set; }

        public readonly void MeasureAll()
        {
            for (int j = 0; j < columns.Length; j++)
            {
                SquaredNorms[j] = VectorAlgebra.Dot(columns[j], columns[j]);
            }
        }

        public void Run(WorkerPool pool)
        {
            int behind = columns.Length - Step - 1;
            int pieces = (behind + ColumnsPerPiece - 1) / ColumnsPerPiece;
            if ((long)behind * columns[Step].Length >= ParallelThreshold)
            {
                pool.For(pieces, ref this);
                return;
            }

            for (int piece = 0; piece < pieces; piece++)
            {
                Execute(piece);
            }
        }

        public readonly void Execute(int index)
        {
            ReadOnlySpan<double> v = columns[Step].AsSpan(Step);
            int start = Step + 1 + index * ColumnsPerPiece;
            int end = Math.Min(columns.Length, start + ColumnsPerPiece);
            for (int j = start; j < end; j++)
            {
                Span<double> column = columns[j].AsSpan(Step);
                VectorAlgebra.AddScaled(-VectorAlgebra.Dot(v, column), v, column);
                ReadOnlySpan<double> rest = column[1..];
                SquaredNorms[j] = VectorAlgebra.Dot(rest, rest);
            }
        }
    }

    private readonly struct Multiplication(PivotedQr qr, double[][] vectors) : IParallelWork
    {
        public double[][] Products { get; } = new double[vectors.Length][];

        public void Execute(int index)
        {
            var product = new double[qr.Length];
            vectors[index].CopyTo(product, 0);
            for (int step = qr.Rank - 1; step >= 0; step--)
            {
                ReadOnlySpan<double> v = qr._columns[step].AsSpan(step);
                Span<double> rest = product.AsSpan(step);
                VectorAlgebra.AddScaled(-VectorAlgebra.Dot(v, rest), v, rest);
            }

            Products[index] = product;
        }
    }
}

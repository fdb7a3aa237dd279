using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// The singular value decomposition in float64, accurate to rounding: QR with column pivoting, then one-sided Jacobi rotations of the rows
/// of R (Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29, 2008). For small matrices, and where most singular vectors are wanted.
/// </summary>
internal static class JacobiSvd
{
    // Rows are orthogonal when the cosine of their angle is below this.
    private const double Orthogonal = 1e-15;

    // Six to ten in practice.
    private const int MaxSweeps = 60;

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="columns">The matrix's columns. Taken over and overwritten. Best no more of them than they are long.</param>
    /// <param name="length">The length of a column.</param>
    /// <param name="rank">The most singular values to return.</param>
    /// <param name="pool">The threads to use.</param>
    /// <returns>The singular values above float64's rounding noise, largest first; their left vectors, as long as a column; their right vectors.</returns>
    public static (double[] Values, double[][] Left, double[][] Right) Compute(double[][] columns, int length, int rank, WorkerPool pool)
    {
        // A = Q (R P^T), and rotations J make the rows of R P^T orthogonal: J R P^T = S V^T, hence U = Q J^T.
        var qr = new PivotedQr(columns, length, pool);
        double[][] rows = qr.UnpermutedR();
        var rotations = new double[rows.Length][];
        for (int i = 0; i < rotations.Length; i++)
        {
            rotations[i] = new double[rows.Length];
            rotations[i][i] = 1;
        }

        Orthogonalize(rows, rotations, pool);

        double[] norms = [.. rows.Select(row => Math.Sqrt(VectorAlgebra.Dot(row, row)))];
        int[] order = [.. Enumerable.Range(0, rows.Length).Where(i => norms[i] > 0).OrderByDescending(i => norms[i]).Take(rank)];
        foreach (int i in order)
        {
            VectorAlgebra.Scale(1 / norms[i], rows[i]);
        }

        double[][] left = qr.MultiplyQ([.. order.Select(i => rotations[i])], pool);
        return ([.. order.Select(i => norms[i])], left, [.. order.Select(i => rows[i])]);
    }

    private static void Orthogonalize(double[][] rows, double[][] rotations, WorkerPool pool)
    {
        var sweep = new Sweep(rows, rotations);
        for (int i = 0; i < MaxSweeps; i++)
        {
            if (!sweep.Run(pool))
            {
                return;
            }
        }

        throw new ArithmeticException($"The singular values of a matrix of rank {rows.Length} did not converge.");
    }

    /// <summary>
    /// Rotates every pair of rows once. Rows are taken in blocks that stay in the cache; blocks meet as teams in a tournament, and the
    /// meetings of one round touch different rows, so they can run on several threads without changing the result.
    /// </summary>
    private struct Sweep : IParallelWork
    {
        private const int CacheBytes = 512 * 1024;

        private readonly double[][] _rows;
        private readonly double[][] _rotations;
        private readonly int _blockRows;
        private readonly int _teams;
        private int _round;
        private int _rotated;

        public Sweep(double[][] rows, double[][] rotations)
        {
            _rows = rows;
            _rotations = rotations;
            long rowBytes = rows.Length == 0 ? 1 : sizeof(double) * ((long)rows[0].Length + rotations[0].Length);
            _blockRows = (int)Math.Clamp(CacheBytes / (2 * rowBytes), 4, 32);
            int blocks = (rows.Length + _blockRows - 1) / _blockRows;
            _teams = blocks + blocks % 2;
        }

        /// <summary>Runs the sweep.</summary>
        /// <param name="pool">The threads to use.</param>
        /// <returns>Whether any pair had to be rotated.</returns>
        public bool Run(WorkerPool pool)
        {
            _rotated = 0;
            for (_round = 0; _round < Math.Max(1, _teams - 1); _round++)
            {
                pool.For(_teams / 2, ref this);
            }

            return _rotated != 0;
        }

        public void Execute(int index)
        {
            // The circle method: the last team stays, the others move on by one place a round.
            int circle = _teams - 1;
            int first = index == 0 ? circle : (_round + index) % circle;
            int second = (_round + circle - index) % circle;
            bool rotated = false;
            if (_round == 0)
            {
                rotated |= Meet(first, first);
                rotated |= Meet(second, second);
            }

            rotated |= Meet(Math.Min(first, second), Math.Max(first, second));
            if (rotated)
            {
                Volatile.Write(ref _rotated, 1);
            }
        }

        private readonly bool Meet(int first, int second)
        {
            bool rotated = false;
            int firstEnd = Math.Min(_rows.Length, (first + 1) * _blockRows);
            int secondEnd = Math.Min(_rows.Length, (second + 1) * _blockRows);
            for (int i = first * _blockRows; i < firstEnd; i++)
            {
                for (int j = first == second ? i + 1 : second * _blockRows; j < secondEnd; j++)
                {
                    rotated |= Rotate(i, j);
                }
            }

            return rotated;
        }

        private readonly bool Rotate(int i, int j)
        {
            (double xx, double yy, double xy) = VectorAlgebra.Products(_rows[i], _rows[j]);
            if (!(Math.Abs(xy) > Orthogonal * Math.Sqrt(_rows.Length) * Math.Sqrt(xx) * Math.Sqrt(yy)))
            {
                return false;
            }

            // The smaller of the two angles that make the rows orthogonal.
            double cotangent = (yy - xx) / (2 * xy);
            double tangent = 1 / (Math.Abs(cotangent) + Math.Sqrt(1 + cotangent * cotangent));
            if (cotangent < 0)
            {
                tangent = -tangent;
            }

            double c = 1 / Math.Sqrt(1 + tangent * tangent);
            double s = c * tangent;
            VectorAlgebra.Rotate(_rows[i], _rows[j], c, s);
            VectorAlgebra.Rotate(_rotations[i], _rotations[j], c, s);
            return true;
        }
    }
}

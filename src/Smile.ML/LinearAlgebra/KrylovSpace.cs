using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// An orthonormal basis Q of the span of A Z, A A^T A Z, ... for random directions Z, grown block by block, and its image Q^T A. Ends by
/// itself when it spans all that A maps to.
/// </summary>
internal sealed unsafe class KrylovSpace : IDisposable
{
    private const ulong Seed = 0x536D696C65;

    // A new block with less energy than this, relative to the first, is rounding noise: the basis spans all of A.
    private const double ExhaustedEnergy = 1e-12;

    // Blocks to make room for at first; the typical number.
    private const int InitialBlocks = 8;

    private readonly Matrix _a;
    private readonly PackedMatrix _packed;
    private readonly WorkerPool _pool;
    private readonly int _limit;
    private readonly int _block;
    private SplitMix64 _random = new(Seed);
    private Matrix _basis;
    private Matrix _image;
    private Matrix _directions;
    private double[][] _gram = [];
    private double _firstEnergy;

    /// <summary>Starts with an empty basis.</summary>
    /// <param name="a">The matrix [m, n]. Must live as long as the space.</param>
    /// <param name="block">The rows to add at a time.</param>
    /// <param name="pool">The threads to use.</param>
    public KrylovSpace(Matrix a, int block, WorkerPool pool)
    {
        _a = a;
        _pool = pool;
        _limit = Math.Min(a.Rows, a.Columns);
        _block = Math.Min(block, _limit);
        int capacity = (int)Math.Min(_limit, (long)InitialBlocks * _block);
        _packed = PackedMatrix.FromColumns(a.Pointer, a.Rows, a.Columns, a.Columns, pool);
        _basis = Matrix.Uninitialized(capacity, a.Rows);
        _image = Matrix.Uninitialized(capacity, a.Columns);
        _directions = RandomDirections();
    }

    /// <summary>Gets the dimension of the basis.</summary>
    public int Count => _gram.Length;

    /// <summary>Gets the basis Q^T [Count, m]; its rows are orthonormal.</summary>
    public MatrixView Basis => _basis.Slice(0, Count);

    /// <summary>Gets the basis's image Q^T A [Count, n].</summary>
    public MatrixView Image => _image.Slice(0, Count);

    /// <summary>Copies the inner products of the image's rows.</summary>
    /// <returns>[Count, Count], symmetric.</returns>
    public double[][] CopyGram() => [.. _gram.Select(row => (double[])row.Clone())];

    /// <summary>Adds a block.</summary>
    /// <returns>Whether anything was left to add.</returns>
    public bool Extend()
    {
        if (Count == _limit)
        {
            return false;
        }

        int start = Count;
        int added = AppendImageOf(_directions);
        if (added == 0 && start > 0)
        {
            // A multiple singular value may have more vectors than these directions led to.
            _directions.Dispose();
            _directions = RandomDirections();
            added = AppendImageOf(_directions);
        }

        if (added == 0)
        {
            return false;
        }

        MatrixView basis = _basis.Slice(start, added);
        MatrixView image = _image.Slice(start, added);
        Gemm.Multiply(_pool, added, basis.Pointer, basis.Columns, [new GemmOutput(_packed, image.Pointer, image.Columns)]);
        AppendToGram(added);

        _directions.Dispose();
        _directions = Matrix.Uninitialized(added, image.Columns);
        image.CopyTo(_directions.View);
        double[][] products = [.. _gram[start..].Select(row => row[start..])];
        _directions = _directions.KeepRows(Orthonormalization.MakeBasis(_directions.View, 1, _pool, products));
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _packed.Dispose();
        _basis.Dispose();
        _image.Dispose();
        _directions.Dispose();
    }

    private Matrix RandomDirections()
    {
        var directions = Matrix.Uninitialized(_block, _a.Columns);
        foreach (ref float element in directions.Span)
        {
            element = _random.NextSigned();
        }

        return directions;
    }

    /// <summary>Appends to the basis what A makes of some directions, as far as it is new.</summary>
    /// <returns>The number of rows appended.</returns>
    private int AppendImageOf(Matrix directions)
    {
        if (directions.Rows == 0)
        {
            return 0;
        }

        using Matrix product = Matrix.MultiplyByTransposed(_a.View, directions.View, _pool);
        using Matrix transposed = product.Transpose();
        MatrixView rows = transposed.View;
        int passes = 2;
        if (Count == 0)
        {
            _firstEnergy = rows.Energy();
        }
        else
        {
            // One projection leaves rounding errors of the size of what it removed; the second removes those.
            MatrixView basis = Basis;
            using PackedMatrix packed = PackedMatrix.FromColumns(basis.Pointer, basis.Rows, basis.Columns, basis.Columns, _pool);
            SubtractBasis(rows, packed);
            if (!(rows.Energy() > ExhaustedEnergy * _firstEnergy))
            {
                return 0;
            }

            rows = rows.Leading(Orthonormalization.MakeBasis(rows, 1, _pool));
            SubtractBasis(rows, packed);
            passes = 1;
        }

        rows = rows.Leading(Orthonormalization.MakeBasis(rows, passes, _pool));
        int added = Math.Min(rows.Rows, _limit - Count);
        MakeRoom(Count + added);
        rows.Leading(added).CopyTo(_basis.Slice(Count, added));
        return added;
    }

    /// <summary>Subtracts from rows their components along the basis.</summary>
    private void SubtractBasis(MatrixView rows, PackedMatrix basis)
    {
        // The rows are fewer than the basis's, so they are the ones to pack.
        using Matrix components = Matrix.MultiplyByTransposed(Basis, rows, _pool);
        foreach (ref float component in components.Span)
        {
            component = -component;
        }

        using Matrix transposed = components.Transpose();
        Gemm.Multiply(
            _pool, rows.Rows, transposed.Pointer, transposed.Columns,
            [new GemmOutput(basis, rows.Pointer, rows.Columns, accumulate: true)]);
    }

    private void AppendToGram(int added)
    {
        int before = Count;
        double[][] fresh = GramMatrix.Compute(_image.Slice(0, before + added), before);
        for (int i = 0; i < before; i++)
        {
            Array.Resize(ref _gram[i], before + added);
            for (int j = 0; j < added; j++)
            {
                _gram[i][before + j] = fresh[j][i];
            }
        }

        _gram = [.. _gram, .. fresh];
    }

    private void MakeRoom(int rows)
    {
        if (rows > _basis.Rows)
        {
            int capacity = (int)Math.Min(_limit, 2L * rows);
            _basis = Enlarge(_basis, capacity);
            _image = Enlarge(_image, capacity);
        }
    }

    private static Matrix Enlarge(Matrix matrix, int rows)
    {
        var larger = Matrix.Uninitialized(rows, matrix.Columns);
        matrix.View.CopyTo(larger.Slice(0, matrix.Rows));
        matrix.Dispose();
        return larger;
    }
}

using Smile.ML.Compute.Cpu;

namespace Smile.ML.LinearAlgebra;

/// <summary>
/// An orthonormal basis Q of the span of A Z, A A^T A Z, ... for random directions Z, grown block by block, and its image A^T Q. Ends by
/// itself when it spans all that A maps to.
/// </summary>
internal sealed unsafe class KrylovSpace : IDisposable
{
    private const ulong Seed = 0x536D696C65;

    // A new block with less energy than this, relative to the first, is rounding noise: the basis spans all of A.
    private const double ExhaustedEnergy = 1e-12;

    private readonly PanelMatrix _a;
    private readonly WorkerPool _pool;
    private readonly int _limit;
    private readonly int _block;
    private SplitMix64 _random = new(Seed);
    private PanelMatrix _directions;
    private double[][] _gram = [];
    private double _firstEnergy;

    /// <summary>Starts with an empty basis.</summary>
    /// <param name="a">The matrix [m, n]. Must live as long as the space.</param>
    /// <param name="block">The columns to add at a time.</param>
    /// <param name="pool">The threads to use.</param>
    public KrylovSpace(PanelMatrix a, int block, WorkerPool pool)
    {
        _a = a;
        _pool = pool;
        _limit = Math.Min(a.Rows, a.Columns);
        _block = Math.Min(block, _limit);
        Basis = new PanelMatrix(a.Rows, 0);
        Image = new PanelMatrix(a.Columns, 0);
        _directions = RandomDirections();
    }

    /// <summary>Gets the dimension of the basis.</summary>
    public int Count => _gram.Length;

    /// <summary>Gets the basis Q [m, Count]; its columns are orthonormal.</summary>
    public PanelMatrix Basis { get; }

    /// <summary>Gets the basis's image A^T Q [n, Count].</summary>
    public PanelMatrix Image { get; }

    /// <summary>Copies the inner products of the image's columns.</summary>
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

        PanelMatrix block = NewPartOfImage(_directions);
        if (block.Columns == 0 && Count > 0)
        {
            // A multiple singular value may have more vectors than these directions led to.
            block.Dispose();
            Restart();
            block = NewPartOfImage(_directions);
        }

        using (block)
        {
            if (block.Columns == 0)
            {
                return false;
            }

            int start = Count;
            PanelMatrix image = PanelProducts.InnerProducts(_a, block, _pool);
            Basis.Append(block);
            Image.Append(image);
            AppendToGram(start);
            _directions.Dispose();
            _directions = Orthonormalization.MakeBasis(image, 1, _pool, [.. _gram[start..].Select(row => row[start..])]);
            return true;
        }
    }

    /// <summary>Makes the next block begin in fresh random directions.</summary>
    public void Restart()
    {
        _directions.Dispose();
        _directions = RandomDirections();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Basis.Dispose();
        Image.Dispose();
        _directions.Dispose();
    }

    private PanelMatrix RandomDirections()
    {
        var directions = new PanelMatrix(_a.Columns, _block);
        for (int panel = 0; panel < directions.PanelCount; panel++)
        {
            for (int row = 0; row < directions.Rows; row++)
            {
                foreach (ref float element in directions.Row(panel, row))
                {
                    element = _random.NextSigned();
                }
            }
        }

        return directions;
    }

    /// <summary>Makes an orthonormal basis of what A makes of some directions, as far as it is new.</summary>
    private PanelMatrix NewPartOfImage(PanelMatrix directions)
    {
        PanelMatrix block = PanelProducts.Multiply(_a, directions, _pool);
        if (Count == 0)
        {
            _firstEnergy = block.Energy();
            block = Orthonormalization.MakeBasis(block, 2, _pool);
        }
        else
        {
            // One projection leaves rounding errors of the size of what it removed; the second removes those.
            SubtractBasis(block);
            if (!(block.Energy() > ExhaustedEnergy * _firstEnergy))
            {
                block.Truncate(0);
                return block;
            }

            block = Orthonormalization.MakeBasis(block, 1, _pool);
            SubtractBasis(block);
            block = Orthonormalization.MakeBasis(block, 1, _pool);
        }

        block.Truncate(Math.Min(block.Columns, _limit - Count));
        return block;
    }

    /// <summary>Subtracts from columns their components along the basis.</summary>
    private void SubtractBasis(PanelMatrix columns)
    {
        using PanelMatrix components = PanelProducts.InnerProducts(Basis, columns, _pool);
        components.Negate();
        PanelProducts.Add(columns, Basis, components, _pool);
    }

    private void AppendToGram(int before)
    {
        double[][] fresh = GramMatrix.Compute(Image, before, _pool.Cancellation);
        for (int i = 0; i < before; i++)
        {
            Array.Resize(ref _gram[i], before + fresh.Length);
            for (int j = 0; j < fresh.Length; j++)
            {
                _gram[i][before + j] = fresh[j][i];
            }
        }

        _gram = [.. _gram, .. fresh];
    }
}

using System.Buffers;
using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>A delta computed from two checkpoints' weights, in float32.</summary>
internal sealed class DenseWeightDelta : WeightDelta
{
    private readonly Matrix _matrix;

    private DenseWeightDelta(Matrix matrix, float magnitude)
    {
        _matrix = matrix;
        Magnitude = magnitude;
    }

    public override float Magnitude { get; }

    /// <summary>Subtracts the pretrained weight from the fine-tuned one.</summary>
    /// <param name="fineTuned">Holds the fine-tuned weight.</param>
    /// <param name="pretrained">Holds the pretrained weight.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="pool">The threads to read with; the caller's alone where null.</param>
    /// <exception cref="SmileException">The delta holds a NaN or an infinity.</exception>
    public static DenseWeightDelta Read(ITensorSource fineTuned, ITensorSource pretrained, LinearLayerInfo layer, WorkerPool? pool = null)
    {
        string name = layer.WeightName;
        var matrix = Matrix.Uninitialized(layer.Outputs, layer.Inputs);
        try
        {
            var work = new Subtraction(fineTuned, pretrained, name, matrix);
            if (pool is not null)
            {
                pool.For(work.Magnitudes.Length, ref work);
            }
            else
            {
                for (int block = 0; block < work.Magnitudes.Length; block++)
                {
                    work.Execute(block);
                }
            }

            float magnitude = 0;
            foreach (float value in work.Magnitudes)
            {
                magnitude = MathF.Max(magnitude, value);
            }

            return float.IsFinite(magnitude)
                ? new DenseWeightDelta(matrix, magnitude)
                : throw DeltaArithmetic.NotFinite(fineTuned, pretrained, name);
        }
        catch
        {
            matrix.Dispose();
            throw;
        }
    }

    public override TruncatedSvd Factorize(int rank, bool keepNullSpace, WorkerPool pool)
        => TruncatedSvd.Compute(_matrix, rank, pool, keepNullSpace);

    public override Matrix ToMatrix() => _matrix;

    public override void Dispose() => _matrix.Dispose();

    /// <summary>Reads and subtracts blocks of rows, each small enough for the second-level cache.</summary>
    private readonly struct Subtraction : IParallelWork
    {
        private const int BlockLength = 1 << 16;

        private readonly ITensorSource _fineTuned;
        private readonly ITensorSource _pretrained;
        private readonly string _name;
        private readonly Matrix _matrix;
        private readonly int _blockRows;

        public Subtraction(ITensorSource fineTuned, ITensorSource pretrained, string name, Matrix matrix)
        {
            _fineTuned = fineTuned;
            _pretrained = pretrained;
            _name = name;
            _matrix = matrix;
            _blockRows = Math.Max(1, BlockLength / Math.Max(1, matrix.Columns));
            Magnitudes = new float[(matrix.Rows + _blockRows - 1) / _blockRows];
        }

        /// <summary>Gets the largest magnitude of each block's differences.</summary>
        public float[] Magnitudes { get; }

        public unsafe void Execute(int index)
        {
            int row = index * _blockRows;
            MatrixView rows = _matrix.Slice(row, Math.Min(_blockRows, _matrix.Rows - row));
            long start = (long)row * _matrix.Columns;
            var delta = new Span<float>(rows.Pointer, rows.Rows * rows.Columns);
            float[] rented = ArrayPool<float>.Shared.Rent(delta.Length);
            Span<float> before = rented.AsSpan(0, delta.Length);
            _fineTuned.ReadFloats(_name, start, delta);
            _pretrained.ReadFloats(_name, start, before);
            Magnitudes[index] = DeltaArithmetic.Subtract(delta, before);
            ArrayPool<float>.Shared.Return(rented);
        }
    }
}

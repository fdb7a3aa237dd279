using System.Buffers;
using System.Globalization;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>Brings weights into a device's memory, rounded to what the products take.</summary>
/// <param name="queue">The stream.</param>
/// <param name="pool">Where memory comes from.</param>
/// <param name="precision">The precision of the products.</param>
internal sealed class CudaWeightLoader(CudaQueue queue, CudaMemoryPool pool, MatrixPrecision precision)
{
    private const int BlockBytes = 4 << 20;

    // tf32 keeps 10 bits of a float32's 23.
    private const uint Tf32Half = 0x1000;
    private const uint Tf32Mask = ~0x1fffu;
    private const uint Infinity = 0x7f800000;

    /// <summary>Gets the storage in which matrices lose nothing that their products would keep: 16 bits an element where that can be.</summary>
    /// <param name="matrices">All that have to be stored alike.</param>
    public WeightStorage ChooseStorage(params IEnumerable<(int Rows, int Columns, int FirstRow, RowReader Reader)> matrices) => precision switch
    {
        MatrixPrecision.BFloat16 => WeightStorage.BFloat16,
        MatrixPrecision.Float16 => WeightStorage.Float16,
        _ => matrices.All(matrix => HoldsBFloat16(matrix.Rows, matrix.Columns, matrix.FirstRow, matrix.Reader))
            ? WeightStorage.BFloat16
            : WeightStorage.Float32,
    };

    /// <summary>Copies a matrix to the device.</summary>
    /// <exception cref="SmileException">A value is too large for the precision, or the device has no room.</exception>
    public CudaMatrix Load(int rows, int columns, int firstRow, RowReader reader, WeightStorage storage)
    {
        int rowBytes = CudaMatrix.RowBytes(columns, storage);
        DeviceMemory memory = pool.Allocate((long)rows * rowBytes);
        try
        {
            byte[] block = ArrayPool<byte>.Shared.Rent(checked(RowsPerBlock(rows, rowBytes) * rowBytes));
            ForEachBlock(rows, rowBytes, (start, count) =>
            {
                ForEachRow(count, row => ReadRow(firstRow + start + row, columns, reader, storage, block.AsSpan(row * rowBytes, rowBytes)));
                queue.Upload<byte>(block.AsSpan(0, count * rowBytes), memory, (long)start * rowBytes);
                return true;
            });
            ArrayPool<byte>.Shared.Return(block);
            return new CudaMatrix(memory, storage);
        }
        catch
        {
            queue.TrySynchronize();
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Copies values to the device as they are.</summary>
    public DeviceMemory Load<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        DeviceMemory memory = pool.Allocate(MemoryMarshal.AsBytes(values).Length);
        queue.Upload(values, memory);
        return memory;
    }

    private static int RowsPerBlock(int rows, int rowBytes) => Math.Clamp(BlockBytes / Math.Max(rowBytes, 1), 1, Math.Max(rows, 1));

    /// <summary>Goes through the rows while the action says so.</summary>
    private static bool ForEachBlock(int rows, int rowBytes, Func<int, int, bool> action)
    {
        int perBlock = RowsPerBlock(rows, rowBytes);
        for (int start = 0; start < rows; start += perBlock)
        {
            if (!action(start, Math.Min(perBlock, rows - start)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Works on rows side by side. What one throws first is thrown here as it is.</summary>
    private static void ForEachRow(int count, Action<int> action)
    {
        try
        {
            Parallel.For(0, count, action);
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }

    private static bool HoldsBFloat16(int rows, int columns, int firstRow, RowReader reader)
        => ForEachBlock(rows, columns * sizeof(float), (start, count) =>
        {
            bool holds = true;
            ForEachRow(count, row =>
            {
                float[] values = ArrayPool<float>.Shared.Rent(columns);
                reader(firstRow + start + row, values.AsSpan(0, columns));
                if (!WeightFormats.BFloat16.Holds(values.AsSpan(0, columns)))
                {
                    Volatile.Write(ref holds, false);
                }

                ArrayPool<float>.Shared.Return(values);
            });
            return holds;
        });

    private void ReadRow(int row, int columns, RowReader reader, WeightStorage storage, Span<byte> destination)
    {
        float[] rented = ArrayPool<float>.Shared.Rent(columns);
        Span<float> values = rented.AsSpan(0, columns);
        reader(row, values);
        Span<byte> elements = destination[..(columns * CudaMatrix.ElementBytes(storage))];
        destination[elements.Length..].Clear();
        if (storage == WeightStorage.Float32)
        {
            if (precision == MatrixPrecision.Tf32)
            {
                RoundToTf32(MemoryMarshal.Cast<float, uint>(values));
            }

            MemoryMarshal.AsBytes(values).CopyTo(elements);
        }
        else if (FloatCodec.Encode(values, storage == WeightStorage.BFloat16 ? TensorType.BF16 : TensorType.F16, elements) is >= 0 and int large)
        {
            throw new SmileException(string.Create(
                CultureInfo.InvariantCulture,
                $"A weight is {values[large]:R} (row {row}, column {large}); the precision {precision} holds values up to "
                + $"{(storage == WeightStorage.Float16 ? "65504" : "3.39e38")}: choose another Precision."));
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>Rounds to nearest, ties away from zero, as the kernels round the other factor.</summary>
    private static void RoundToTf32(Span<uint> bits)
    {
        foreach (ref uint value in bits)
        {
            value = (value & Infinity) == Infinity ? value : (value + Tf32Half) & Tf32Mask;
        }
    }
}

using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Consecutive whole rows of a tensor. A row is what one index of the first dimension selects; a vector is one row.</summary>
/// <param name="Tensor">The tensor's name.</param>
/// <param name="Start">Index of the first element.</param>
/// <param name="Length">Number of elements.</param>
/// <param name="RowLength">Number of elements of a row.</param>
internal readonly record struct TensorBlock(string Tensor, long Start, int Length, int RowLength)
{
    private const int PreferredLength = 1 << 14;

    /// <summary>Splits a tensor; the split depends on its shape alone.</summary>
    public static TensorBlock[] Split(TensorInfo tensor)
    {
        long count = tensor.ElementCount;
        if (count == 0)
        {
            return [];
        }

        long rows = tensor.Shape.Count > 1 ? tensor.Shape[0] : 1;
        int rowLength = checked((int)(count / rows));
        long rowsPerBlock = Math.Max(1, PreferredLength / rowLength);
        var blocks = new TensorBlock[(rows + rowsPerBlock - 1) / rowsPerBlock];
        for (int i = 0; i < blocks.Length; i++)
        {
            long first = i * rowsPerBlock;
            blocks[i] = new TensorBlock(tensor.Name, first * rowLength, (int)Math.Min(rowsPerBlock, rows - first) * rowLength, rowLength);
        }

        return blocks;
    }
}

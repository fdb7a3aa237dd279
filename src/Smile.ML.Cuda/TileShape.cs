namespace Smile.ML.Cuda;

/// <summary>A shape of the tiles that matrix products are computed in, as in Kernels/tile.cuh.</summary>
/// <param name="Name">The part of a kernel's name that stands for it.</param>
/// <param name="Rows">Rows of the result.</param>
/// <param name="Columns">Columns of the result.</param>
/// <param name="HalfStages">Steps of the depth in shared memory, for weights of 16 bits.</param>
/// <param name="FloatStages">Likewise for weights of 32 bits.</param>
internal sealed record TileShape(string Name, int Rows, int Columns, int HalfStages, int FloatStages)
{
    /// <summary>Threads of a block, for all shapes.</summary>
    public const int Threads = 128;

    private const int Depth = 32;

    /// <summary>The largest, for products that fill the GPU with it.</summary>
    public static readonly TileShape Wide = new("wide", 128, 128, 3, 2);

    /// <summary>For most others.</summary>
    public static readonly TileShape Middle = new("middle", 64, 64, 4, 3);

    /// <summary>For few rows or few columns.</summary>
    public static readonly TileShape Narrow = new("narrow", 16, 32, 12, 8);

    /// <summary>Gets the number of tiles that cover a result.</summary>
    public long Count(long rows, long columns) => (rows + Rows - 1) / Rows * ((columns + Columns - 1) / Columns);

    /// <summary>Gets a block's shared memory in bytes.</summary>
    public int SharedBytes(WeightStorage storage)
        => storage == WeightStorage.Float32
            ? FloatStages * Depth * (Rows + Columns) * sizeof(float)
            : HalfStages * Depth * ((Rows * sizeof(float)) + (Columns * sizeof(ushort)));
}

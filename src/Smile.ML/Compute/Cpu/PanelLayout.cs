namespace Smile.ML.Compute.Cpu;

/// <summary>How a matrix lies in memory for <see cref="PanelKernels{TSimd, TVector, TElement}"/>: panels of a few columns, each row by row.</summary>
internal static class PanelLayout
{
    /// <summary>The columns of a panel. Columns beyond a matrix's last are zero.</summary>
    public const int Width = 16;

    /// <summary>What the rows of a panel are a multiple of, so that every tile is full. Rows beyond a matrix's last are zero.</summary>
    public const int RowUnit = 48;

    /// <summary>The elements of a tile: 16 rows of a panel.</summary>
    public const int Tile = Width * Width;

    /// <summary>Rounds up to whole panels.</summary>
    /// <param name="columns">Columns.</param>
    /// <returns>The panels that hold them.</returns>
    public static int Panels(int columns) => (int)(((long)columns + Width - 1) / Width);

    /// <summary>Rounds up to whole tiles.</summary>
    /// <param name="rows">Rows.</param>
    /// <returns>The rows that a panel of so many has in memory.</returns>
    public static int PaddedRows(int rows) => checked((int)(((long)rows + RowUnit - 1) / RowUnit * RowUnit));
}

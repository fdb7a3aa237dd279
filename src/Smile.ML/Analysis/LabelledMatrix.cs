using Microsoft.DotNet.Interactive.Formatting;
using Smile.ML.Notebooks;

namespace Smile.ML.Analysis;

/// <summary>A small table of numbers with names: tasks by experts, layers by tasks, and so on. Notebooks show it as a heat map.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class LabelledMatrix : IHtmlDisplay
{
    private readonly double[,] _values;

    /// <summary>Creates a matrix.</summary>
    /// <param name="rows">The rows' names.</param>
    /// <param name="columns">The columns' names.</param>
    /// <param name="value">Gives the value of a row and a column; called once for each.</param>
    public LabelledMatrix(IReadOnlyList<string> rows, IReadOnlyList<string> columns, Func<int, int, double> value)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(value);
        Rows = [.. rows];
        Columns = [.. columns];
        _values = new double[Rows.Count, Columns.Count];
        for (int row = 0; row < Rows.Count; row++)
        {
            for (int column = 0; column < Columns.Count; column++)
            {
                _values[row, column] = value(row, column);
            }
        }
    }

    /// <summary>Gets the rows' names.</summary>
    public IReadOnlyList<string> Rows { get; }

    /// <summary>Gets the columns' names.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Gets the mean of the values that are not on the diagonal; 0 where there are none.</summary>
    public double MeanOffDiagonal => OffDiagonal().DefaultIfEmpty().Average();

    /// <summary>Gets the mean of the values on the diagonal; 0 where there are none.</summary>
    public double MeanDiagonal => Enumerable.Range(0, Math.Min(Rows.Count, Columns.Count)).Select(i => _values[i, i]).DefaultIfEmpty().Average();

    /// <summary>Gets one value.</summary>
    /// <param name="row">The row.</param>
    /// <param name="column">The column.</param>
    public double this[int row, int column] => _values[row, column];

    /// <summary>Averages matrices with the same names.</summary>
    /// <param name="matrices">At least one.</param>
    /// <returns>The mean, value by value.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is none.</exception>
    public static LabelledMatrix Mean(params IReadOnlyList<LabelledMatrix> matrices)
    {
        ArgumentNullException.ThrowIfNull(matrices);
        ArgumentOutOfRangeException.ThrowIfZero(matrices.Count, nameof(matrices));
        return new LabelledMatrix(matrices[0].Rows, matrices[0].Columns, (row, column) => matrices.Average(matrix => matrix[row, column]));
    }

    /// <summary>Gets the values of one row.</summary>
    /// <param name="row">The row.</param>
    /// <returns>One value per column.</returns>
    public IReadOnlyList<double> GetRow(int row) => [.. Enumerable.Range(0, Columns.Count).Select(column => _values[row, column])];

    /// <summary>Draws the matrix as a heat map, from -1 (orange) over 0 (no colour) to 1 (blue).</summary>
    /// <returns>A self-contained SVG element.</returns>
    public string ToSvg() => SvgPlot.HeatMap(Columns, Rows.Select((name, row) => (name, GetRow(row))));

    string IHtmlDisplay.ToHtml() => ToSvg();

    private IEnumerable<double> OffDiagonal()
        => from row in Enumerable.Range(0, Rows.Count)
           from column in Enumerable.Range(0, Columns.Count)
           where row != column
           select _values[row, column];
}

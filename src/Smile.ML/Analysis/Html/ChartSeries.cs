namespace Smile.ML.Analysis.Html;

/// <summary>A series of a chart.</summary>
/// <param name="Name">What stands beside its last point.</param>
/// <param name="Points">The points.</param>
/// <param name="Style">How it is drawn.</param>
/// <param name="Line">Whether the points are joined.</param>
/// <param name="Markers">Whether the points are marked.</param>
internal sealed record ChartSeries(string Name, IReadOnlyList<ChartPoint> Points, SeriesStyle Style, bool Line = true, bool Markers = true)
{
    /// <summary>Gets the size of the marks.</summary>
    public double Radius { get; init; } = Style == SeriesStyle.Muted ? 2.5 : 4;

    /// <summary>Gets a value indicating whether the name stands above the first point instead.</summary>
    public bool NameAtStart { get; init; }
}

namespace Smile.ML.Analysis.Html;

/// <summary>How a series is drawn; the names are the style sheet's classes.</summary>
internal enum SeriesStyle
{
    /// <summary>What the chart is about.</summary>
    Accent,

    /// <summary>What it is compared with.</summary>
    Contrast,

    /// <summary>The rest.</summary>
    Muted,

    /// <summary>A dashed line.</summary>
    Reference,
}

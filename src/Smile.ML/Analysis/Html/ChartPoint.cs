namespace Smile.ML.Analysis.Html;

/// <summary>A point of a chart.</summary>
/// <param name="X">Its place.</param>
/// <param name="Y">Its value.</param>
/// <param name="Text">What is told when pointing at it.</param>
internal sealed record ChartPoint(double X, double Y, string Text);

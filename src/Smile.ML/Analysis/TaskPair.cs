namespace Smile.ML.Analysis;

/// <summary>Two tasks and how much they overlap.</summary>
/// <param name="First">A task's name.</param>
/// <param name="Second">Another's.</param>
/// <param name="Overlap">From 0 to 1.</param>
public sealed record TaskPair(string First, string Second, double Overlap);

namespace Smile.ML.Analysis;

/// <summary>One setting of a sweep and what it reaches.</summary>
/// <param name="Setting">The setting.</param>
/// <param name="Result">Accuracy and parameters.</param>
public sealed record SweepPoint(SmileSetting Setting, MethodResult Result);

namespace Smile.ML.Examples.WebApi;

/// <summary>What one task head answers.</summary>
/// <param name="Label">The likeliest class.</param>
/// <param name="Probability">Its probability.</param>
internal sealed record PredictResponse(string Label, float Probability);

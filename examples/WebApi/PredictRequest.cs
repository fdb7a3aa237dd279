namespace Smile.ML.Examples.WebApi;

/// <summary>The body of POST /predict.</summary>
/// <param name="Pixels">One image as the network takes it: channels x height x width values from -1 to 1. Null where the body has none.</param>
/// <param name="Tasks">The task heads to apply; all where absent.</param>
internal sealed record PredictRequest(float[]? Pixels, string[]? Tasks = null);

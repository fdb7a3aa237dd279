namespace Smile.ML.DependencyInjection;

/// <summary>How a predictor is doing, e.g. for a health check.</summary>
/// <param name="LoadedAt">When the model that it serves was loaded.</param>
/// <param name="QueueLength">Requests that wait.</param>
/// <param name="QueueCapacity">Requests that may wait.</param>
/// <param name="ReloadError">Why the last reload failed, while the previous model is still served; null where it didn't.</param>
public sealed record SmilePredictorStatus(DateTimeOffset LoadedAt, int QueueLength, int QueueCapacity, Exception? ReloadError);

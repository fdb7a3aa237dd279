using Microsoft.Extensions.Diagnostics.HealthChecks;
using Smile.ML.DependencyInjection;

namespace Smile.ML.Examples.WebApi;

/// <summary>Unhealthy while requests are refused, degraded while an old model is served because a newer one can't be loaded.</summary>
internal sealed class SmileHealthCheck(ISmilePredictor predictor) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        SmilePredictorStatus status = predictor.Status;
        return Task.FromResult(status switch
        {
            _ when status.QueueLength >= status.QueueCapacity => HealthCheckResult.Unhealthy($"{status.QueueLength} requests are waiting."),
            { ReloadError: { } error } => HealthCheckResult.Degraded($"The model of {status.LoadedAt:u} is served on.", error),
            _ => HealthCheckResult.Healthy(),
        });
    }
}

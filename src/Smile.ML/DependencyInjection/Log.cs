using Microsoft.Extensions.Logging;

namespace Smile.ML.DependencyInjection;

/// <summary>What predictors log.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Smile model \"{Model}\": loaded {Folder} on {Device} with {Heads} task heads in {Milliseconds:F0} ms.")]
    public static partial void Loaded(ILogger logger, string model, string folder, string device, int heads, double milliseconds);

    [LoggerMessage(2, LogLevel.Information, "Smile model \"{Model}\": now serving the model reloaded from {Folder}.")]
    public static partial void Reloaded(ILogger logger, string model, string folder);

    [LoggerMessage(3, LogLevel.Error, "Smile model \"{Model}\": reloading {Folder} failed; the previous model stays in service.")]
    public static partial void ReloadFailed(ILogger logger, Exception exception, string model, string folder);

    [LoggerMessage(4, LogLevel.Debug, "Smile model \"{Model}\": ran {Rows} rows of {Requests} requests in {Milliseconds:F1} ms.")]
    public static partial void BatchRan(ILogger logger, string model, int rows, int requests, double milliseconds);

    [LoggerMessage(5, LogLevel.Debug, "Smile model \"{Model}\": a batch of {Requests} requests failed; running each alone.")]
    public static partial void BatchFailed(ILogger logger, Exception exception, string model, int requests);

    [LoggerMessage(6, LogLevel.Error, "Smile model \"{Model}\": a request failed because of an internal error.")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string model);

    [LoggerMessage(7, LogLevel.Information, "Smile model \"{Model}\": stopped; every accepted request was answered.")]
    public static partial void Stopped(ILogger logger, string model);
}

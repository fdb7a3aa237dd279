using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Smile.ML.DependencyInjection;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>Keeps what is logged.</summary>
internal sealed class RecordingLogger : ILogger<ISmilePredictor>
{
    public ConcurrentQueue<(LogLevel Level, string Message, Exception? Exception)> Entries { get; } = [];

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => Entries.Enqueue((logLevel, formatter(state, exception), exception));
}

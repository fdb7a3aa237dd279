using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Smile.ML.DependencyInjection;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>Keeps what is logged.</summary>
internal sealed class RecordingLogger : ILogger<ISmilePredictor>
{
    public ConcurrentQueue<(LogLevel Level, string Message, Exception? Exception)> Entries { get; } = [];

    /// <summary>Gets or sets whether logging throws, as a provider may.</summary>
    public bool Throws { get; set; }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
        => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (Throws)
        {
            throw new InvalidOperationException("The log is full.");
        }

        Entries.Enqueue((logLevel, formatter(state, exception), exception));
    }
}

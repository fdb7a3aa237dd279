using Microsoft.ML.Runtime;

namespace Microsoft.ML;

public class LoggingEventArgs : EventArgs
{
    public LoggingEventArgs(string message, ChannelMessageKind kind, string source)
        => (Message, RawMessage, Kind, Source) = ($"[Source={source}, Kind={kind}] {message}", message, kind, source);

    /// <summary>The message with its source and kind.</summary>
    public string Message { get; }

    public string RawMessage { get; }

    public ChannelMessageKind Kind { get; }

    public string Source { get; }
}

using System.Runtime.InteropServices;

namespace Smile.ML.Tool;

/// <summary>Turns the first Ctrl-C, or request to terminate, into a cancellation, however long the command takes to end. The second ends the process.</summary>
internal sealed class ConsoleCancellation : IDisposable
{
    private const string ShowCursor = "\e[?25h";

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;

    public ConsoleCancellation()
        => _registrations = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, Handle))];

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        Array.ForEach(_registrations, registration => registration.Dispose());
        _source.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        if (!_source.IsCancellationRequested)
        {
            context.Cancel = true;
            _source.Cancel();
        }
        else if (!Console.IsErrorRedirected)
        {
            // A progress bar has hidden it.
            Console.Error.Write(ShowCursor);
        }
    }
}

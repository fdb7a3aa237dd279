namespace Microsoft.ML.Runtime;

/// <summary>Nothing in ML.NET's public surface shows progress, so here nothing keeps it.</summary>
internal sealed class ProgressChannel(string name) : IProgressChannel
{
    private ProgressHeader _header = new();
    private bool _isDisposed;

    public IProgressChannel StartProgressChannel(string subName) => new ProgressChannel($"{name}; {subName}");

    public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction)
    {
        ArgumentNullException.ThrowIfNull(header);
        ArgumentNullException.ThrowIfNull(fillAction);
        _header = header;
    }

    public void Checkpoint(params double?[] values)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        int expected = _header.MetricNames.Count + _header.UnitNames.Count;
        if (values.Length > expected)
        {
            throw new InvalidOperationException($"The header of '{name}' names {expected} values, but {values.Length} were reported.");
        }
    }

    public void Dispose() => _isDisposed = true;
}

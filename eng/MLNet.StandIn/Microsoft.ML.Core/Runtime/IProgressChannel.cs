namespace Microsoft.ML.Runtime;

public interface IProgressChannel : IProgressChannelProvider, IDisposable
{
    /// <summary>The action is called whenever somebody asks how far the work is.</summary>
    void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction);

    /// <summary>Reports metrics, then progress units, in the header's order.</summary>
    void Checkpoint(params double?[] values);
}

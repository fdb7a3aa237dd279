using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>A sequence of operations that the driver has as a whole, so that one call queues them all.</summary>
internal sealed unsafe class CudaGraph : IDisposable
{
    private readonly ulong[] _words;
    private readonly GraphExecutable _executable;

    // What uploads copy from, and the mark that they have.
    private readonly PinnedMemory? _content;
    private readonly CudaEvent _done;

    private CudaGraph(ulong[] words, GraphExecutable executable, PinnedMemory? content, CudaEvent done)
        => (_words, _executable, _content, _done) = (words, executable, content, done);

    /// <summary>Gets the number of words of its operations.</summary>
    public int Length => _words.Length;

    /// <summary>Makes the graph by capturing what the operations queue.</summary>
    /// <param name="device">The device.</param>
    /// <param name="capturing">A stream for nothing else.</param>
    /// <param name="cublasLt">What computes products; null where there are none.</param>
    /// <param name="words">The operations.</param>
    /// <param name="contentBytes">Bytes that they copy from the host.</param>
    public static CudaGraph Capture(CudaDevice device, CudaStream capturing, CublasLt? cublasLt, ReadOnlySpan<ulong> words, int contentBytes)
    {
        PinnedMemory? content = contentBytes > 0 ? new PinnedMemory(device.Context, contentBytes) : null;
        var done = new CudaEvent(device.Context);
        try
        {
            GraphExecutable executable = GraphExecutable.Capture(device.Context, capturing, words, (operations, stream) =>
            {
                byte* from = content is null ? null : content.Pointer;
                for (ReadOnlySpan<ulong> rest = operations; rest.Length > 0; rest = rest[CudaOperation.LengthOf(rest)..])
                {
                    ReadOnlySpan<ulong> operation = rest[..CudaOperation.LengthOf(rest)];
                    CudaOperation.Issue(operation, device, stream, cublasLt, from);
                    from += CudaOperation.ContentOf(operation);
                }
            });
            return new CudaGraph(words.ToArray(), executable, content, done);
        }
        catch
        {
            content?.Dispose();
            done.Dispose();
            throw;
        }
    }

    /// <summary>Tells whether an operation stands at a place of the sequence.</summary>
    public bool Holds(int place, ReadOnlySpan<ulong> operation)
        => _words.Length >= place + operation.Length && operation.SequenceEqual(_words.AsSpan(place, operation.Length));

    /// <summary>Queues all operations.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="content">What they copy from the host.</param>
    public void Launch(CudaStream stream, ReadOnlySpan<byte> content)
    {
        if (_content is not null)
        {
            // The last launch may not have read its own yet.
            _done.Synchronize();
            content.CopyTo(new Span<byte>(_content.Pointer, _content.Bytes));
        }

        _executable.Launch(stream);
        _done.Record(stream);
    }

    /// <summary>Waits for the last launch, whatever comes of it, and frees the graph.</summary>
    public void Dispose()
    {
        _done.TrySynchronize();
        _executable.Dispose();
        _content?.Dispose();
        _done.Dispose();
    }
}

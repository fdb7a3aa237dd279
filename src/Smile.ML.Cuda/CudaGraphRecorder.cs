using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>
/// Turns sequences of operations that come again and again into graphs. A sequence ends where somebody waits for it, or much is copied
/// from the host. The second time that
/// the same one has run, it is captured; when later one begins like a captured one its operations are held back, and at the end the
/// graph is launched in their place. As soon as one differs, in whatever argument or address, those held back are queued one by one: a
/// graph never stands for anything but the very same calls. Not for several threads at once.
/// </summary>
/// <remarks>
/// So nothing has to be kept for a graph: its addresses are those that the operations would have been called with. They come again since
/// <see cref="CudaMemoryPool"/> hands out the same blocks for the same requests.
/// </remarks>
/// <param name="device">The device.</param>
/// <param name="stream">The stream of the operations.</param>
/// <param name="cublasLt">What computes products; null where there are none.</param>
/// <param name="issue">Queues one operation with what it copies from the host.</param>
internal sealed class CudaGraphRecorder(CudaDevice device, CudaStream stream, CublasLt? cublasLt, CudaGraphRecorder.Issuing issue) : IDisposable
{
    // Bytes from the host in one sequence.
    private const int MaxContent = 1 << 20;
    private const int MaxWords = 1 << 17;
    private const int MaxGraphs = 32;
    private const int MaxSeen = 256;
    private const int MinLaunches = 3;

    // With more blocks a launch, on average, the GPU has enough to do while the host queues the next.
    private const int MaxWaves = 2;

    private readonly CudaStream _capturing = new(device.Context);

    // The least recently used first.
    private readonly List<CudaGraph> _graphs = [];
    private readonly HashSet<ulong> _seen = [];
    private readonly Queue<ulong> _seenInOrder = new();

    // Those seen of which the driver could not make a graph: it is not asked again.
    private readonly HashSet<ulong> _refused = [];

    // The sequence so far, and how much of it is queued.
    private readonly List<CudaGraph> _candidates = [];
    private ulong[] _words = new ulong[1024];
    private byte[] _content = new byte[4096];
    private int _length;
    private int _contentLength;
    private int _issued;
    private int _contentIssued;
    private bool _tooLong;

    /// <summary>Queues one operation.</summary>
    public delegate void Issuing(ReadOnlySpan<ulong> operation, ReadOnlySpan<byte> content);

    /// <summary>Gets how many graphs were captured.</summary>
    public int Captures { get; private set; }

    /// <summary>Gets how many sequences the driver could not make a graph of; they are queued one by one.</summary>
    public int CaptureFailures { get; private set; }

    /// <summary>Gets how many times a graph was launched.</summary>
    public int Launches { get; private set; }

    /// <summary>Takes the next operation.</summary>
    public void Add(ReadOnlySpan<ulong> operation, ReadOnlySpan<byte> content)
    {
        if (content.Length > MaxContent)
        {
            Submit();
            issue(operation, content);
            return;
        }

        if (!_tooLong && (_length + operation.Length > MaxWords || _contentLength + content.Length > MaxContent))
        {
            IssueHeldBack();
            Forget();
            _tooLong = true;
        }

        if (_tooLong)
        {
            issue(operation, content);
            return;
        }

        if (_length == 0)
        {
            _candidates.AddRange(_graphs);
        }

        int place = _length;
        _length = Append(ref _words, _length, operation);
        _contentLength = Append(ref _content, _contentLength, content);
        for (int i = _candidates.Count - 1; i >= 0; i--)
        {
            if (!_candidates[i].Holds(place, operation))
            {
                _candidates.RemoveAt(i);
            }
        }

        if (_candidates.Count == 0)
        {
            IssueHeldBack();
        }
    }

    /// <summary>Ends the sequence: all its operations are queued.</summary>
    public void Submit()
    {
        try
        {
            if (_candidates.Find(graph => graph.Length == _length) is { } known)
            {
                known.Launch(stream, _content.AsSpan(0, _contentLength));
                Launches++;
                _graphs.Remove(known);
                _graphs.Add(known);
            }
            else
            {
                IssueHeldBack();
                Learn();
            }
        }
        finally
        {
            Forget();
            _tooLong = false;
        }
    }

    /// <summary>Frees the graphs, and drops what nobody waited for.</summary>
    public void Dispose()
    {
        Forget();
        _graphs.ForEach(graph => graph.Dispose());
        _graphs.Clear();
        _capturing.Dispose();
    }

    private static int Append<T>(ref T[] array, int length, ReadOnlySpan<T> values)
    {
        if (length + values.Length > array.Length)
        {
            Array.Resize(ref array, Math.Max(array.Length * 2, length + values.Length));
        }

        values.CopyTo(array.AsSpan(length));
        return length + values.Length;
    }

    private void IssueHeldBack()
    {
        while (_issued < _length)
        {
            ReadOnlySpan<ulong> operation = _words.AsSpan(_issued, CudaOperation.LengthOf(_words.AsSpan(_issued)));
            int bytes = CudaOperation.ContentOf(operation);
            ReadOnlySpan<byte> content = _content.AsSpan(_contentIssued, bytes);

            // Before the call: one that fails is not tried again.
            _issued += operation.Length;
            _contentIssued += bytes;
            issue(operation, content);
        }
    }

    private void Learn()
    {
        if (!IsWorthAGraph())
        {
            return;
        }

        ulong hash = Hash(_words.AsSpan(0, _length));
        if (_seen.Add(hash))
        {
            _seenInOrder.Enqueue(hash);
            if (_seenInOrder.Count > MaxSeen)
            {
                ulong oldest = _seenInOrder.Dequeue();
                _seen.Remove(oldest);
                _refused.Remove(oldest);
            }

            return;
        }

        if (_refused.Contains(hash))
        {
            return;
        }

        try
        {
            _graphs.Add(CudaGraph.Capture(device, _capturing, cublasLt, _words.AsSpan(0, _length), _contentLength));
            Captures++;
        }
        catch (SmileException)
        {
            // The sequence itself is queued already. Should the stream have failed, who waits for it learns that.
            _refused.Add(hash);
            CaptureFailures++;
        }

        if (_graphs.Count > MaxGraphs)
        {
            _graphs[0].Dispose();
            _graphs.RemoveAt(0);
        }
    }

    private bool IsWorthAGraph()
    {
        int launches = 0;
        long blocks = 0;
        for (ReadOnlySpan<ulong> rest = _words.AsSpan(0, _length); rest.Length > 0; rest = rest[CudaOperation.LengthOf(rest)..])
        {
            if (CudaOperation.KindOf(rest) is CudaOperation.Kind.Kernel)
            {
                launches++;
                blocks += CudaOperation.BlocksOf(rest);
            }
        }

        return launches >= MinLaunches && blocks <= (long)launches * MaxWaves * device.Multiprocessors;
    }

    /// <summary>FNV-1a over words, mixed at the end.</summary>
    private static ulong Hash(ReadOnlySpan<ulong> words)
    {
        ulong hash = 14695981039346656037;
        foreach (ulong word in words)
        {
            hash = (hash ^ word) * 1099511628211;
            hash ^= hash >> 29;
        }

        return hash;
    }

    private void Forget()
    {
        _candidates.Clear();
        (_length, _contentLength, _issued, _contentIssued) = (0, 0, 0, 0);
    }
}

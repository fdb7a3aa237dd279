using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>Router logits, chosen experts and weights on a device, and the tokens sorted by expert.</summary>
internal sealed class CudaRoutingDecision : RoutingDecision
{
    private readonly CudaQueue _queue;
    private readonly CudaMemoryPool _pool;
    private bool _disposed;

    public CudaRoutingDecision(CudaQueue queue, CudaMemoryPool pool, int tokens, int experts, int expertsPerToken)
    {
        _queue = queue;
        _pool = pool;
        Tokens = tokens;
        ExpertCount = experts;
        ExpertsPerToken = expertsPerToken;
        long chosen = (long)tokens * expertsPerToken * sizeof(int);
        Scores = pool.Rent((long)tokens * experts * sizeof(float));
        Selected = pool.Rent(chosen);
        Weights = pool.Rent(chosen);
        Order = pool.Rent(chosen);
        Starts = pool.Rent((long)expertsPerToken * (experts + 1) * sizeof(int));
    }

    public override int Tokens { get; }

    public override int ExpertCount { get; }

    public override int ExpertsPerToken { get; }

    /// <summary>Gets the router logits [N, E].</summary>
    public DeviceMemory Scores { get; }

    /// <summary>Gets the chosen experts [N, ExpertsPerToken].</summary>
    public DeviceMemory Selected { get; }

    /// <summary>Gets the chosen experts' weights [N, ExpertsPerToken].</summary>
    public DeviceMemory Weights { get; }

    /// <summary>Gets the tokens sorted by expert, for each choice [ExpertsPerToken, N].</summary>
    public DeviceMemory Order { get; }

    /// <summary>Gets where each expert's tokens begin in the order, and their end [ExpertsPerToken, E + 1].</summary>
    public DeviceMemory Starts { get; }

    public override void Download(Span<float> scores, Span<int> selected, Span<float> weights)
    {
        _queue.Download(Scores, scores[..(Tokens * ExpertCount)]);
        _queue.Download(Selected, selected[..(Tokens * ExpertsPerToken)]);
        _queue.Download(Weights, weights[..(Tokens * ExpertsPerToken)]);
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }

        foreach (DeviceMemory memory in (DeviceMemory[])[Scores, Selected, Weights, Order, Starts])
        {
            _pool.Return(memory);
        }
    }
}

using System.Collections.Concurrent;
using System.Threading.Channels;
using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Tests.DependencyInjection;

/// <summary>A served model whose runs a test can hold up, see and replace.</summary>
internal sealed class ObservedModel(SmileModel model, IReadOnlyList<TaskHead>? heads = null) : ServedModel(model, heads ?? [])
{
    private readonly Channel<bool> _entered = Channel.CreateUnbounded<bool>();
    private readonly TaskCompletionSource _gate = new();
    private bool _held;

    /// <summary>What a run does instead of the model's own; may throw.</summary>
    public Func<IReadOnlyDictionary<string, HostTensor>, IReadOnlyDictionary<string, HostTensor>>? Computation { get; init; }

    /// <summary>The shape of every run's first input, in order.</summary>
    public ConcurrentQueue<long[]> Runs { get; } = [];

    public bool IsFreed { get; private set; }

    /// <summary>Lets runs begin, but not end, until the gate is opened.</summary>
    public ObservedModel Hold()
    {
        _held = true;
        return this;
    }

    public void Open() => _gate.SetResult();

    /// <summary>Waits until one more run has begun.</summary>
    public ValueTask<bool> EnteredAsync() => _entered.Reader.ReadAsync();

    public override IReadOnlyDictionary<string, HostTensor> Run(IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs)
    {
        Runs.Enqueue([.. inputs.First().Value.Shape]);
        _entered.Writer.TryWrite(true);
        if (_held)
        {
            _gate.Task.Wait();
        }

        return Computation is { } compute ? compute(inputs) : base.Run(inputs, outputs);
    }

    protected override void Free()
    {
        IsFreed = true;
        base.Free();
    }
}

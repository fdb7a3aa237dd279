using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Fusion.Merging;

/// <summary>A merged model's parameters: each computed as a whole when it is first asked for, and kept until another one is.</summary>
/// <param name="pool">The pool that is merged.</param>
/// <param name="location">What error messages call the result.</param>
/// <param name="merger">Computes the tensors.</param>
/// <param name="ownThreads">Threads to end with this object; or null.</param>
internal sealed class MergedTensors(ModelPool pool, string location, TensorMerger merger, WorkerPool? ownThreads = null) : ComputedTensors(pool)
{
    private readonly Lock _computing = new();
    private volatile MergedTensor? _latest;

    public override string Location => location;

    public override void ReadFloats(string name, long start, Span<float> destination)
    {
        TensorInfo tensor = this.GetTensor(name);
        this.RequireFloatingPoint(tensor);
        this.RequireRange(tensor, "elements", tensor.ElementCount, start, destination.Length);
        Values(tensor).AsSpan((int)start, destination.Length).CopyTo(destination);
    }

    public override void Dispose()
    {
        ownThreads?.Dispose();
        base.Dispose();
    }

    private float[] Values(TensorInfo tensor)
    {
        if (_latest is { } latest && latest.Name == tensor.Name)
        {
            return latest.Values;
        }

        lock (_computing)
        {
            if (_latest is { } other && other.Name == tensor.Name)
            {
                return other.Values;
            }

            _latest = null;
            if (tensor.ElementCount > Array.MaxLength)
            {
                throw new SmileException($"{location}: tensor {tensor.Name} is {tensor.Description}; expected at most {Array.MaxLength} elements.");
            }

            var values = new float[tensor.ElementCount];
            merger.Merge(tensor, values);
            _latest = new MergedTensor(tensor.Name, values);
            return values;
        }
    }

    private sealed record MergedTensor(string Name, float[] Values);
}

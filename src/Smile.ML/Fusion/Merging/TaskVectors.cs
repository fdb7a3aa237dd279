using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// The models of a pool as merge methods read them: theta_0, theta_t and the task vectors tau_t = theta_t - theta_0 in float32, piece by
/// piece. A linear layer without its bias counts as one whose bias is 0.
/// </summary>
internal sealed class TaskVectors
{
    private readonly ModelPool _pool;
    private readonly CancellationToken _cancellation;
    private readonly Dictionary<string, LinearLayerInfo> _layers;
    private readonly HashSet<string> _linear;

    public TaskVectors(ModelPool pool, NetworkManifest manifest, WorkerPool threads, CancellationToken cancellationToken)
    {
        _pool = pool;
        _cancellation = cancellationToken;
        _linear = [.. manifest.LinearLayers.SelectMany(layer => new[] { layer.WeightName, $"{layer.Name}.bias" })];
        _layers = manifest.LinearLayers.Where(layer => !layer.IsTied).ToDictionary(layer => layer.WeightName);
        Threads = threads;
        Tensors = [.. pool.Pretrained.Tensors.Values.Where(tensor => tensor.Type.IsFloatingPoint())];
    }

    /// <summary>Gets the number of experts, T.</summary>
    public int Count => _pool.Experts.Count;

    /// <summary>Gets the pool's location, for messages.</summary>
    public string Location => _pool.Location;

    /// <summary>Gets the threads to work with.</summary>
    public WorkerPool Threads { get; }

    /// <summary>Gets the parameters: the pretrained model's floating-point tensors.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Gets an expert's name.</summary>
    public string NameOf(int expert) => _pool.Experts[expert].Name;

    /// <summary>Finds the linear layer that a tensor is the weight of. A table that a head is tied to counts as an embedding.</summary>
    public LinearLayerInfo? FindLayer(string tensor) => _layers.GetValueOrDefault(tensor);

    /// <summary>Tells whether a tensor is the weight or the bias of a linear layer, a tied head included.</summary>
    public bool IsLinear(string tensor) => _linear.Contains(tensor);

    /// <summary>Reads pretrained values.</summary>
    public void ReadPretrained(TensorBlock block, Span<float> destination)
    {
        _cancellation.ThrowIfCancellationRequested();
        _pool.Pretrained.ReadFloats(block.Tensor, block.Start, destination);
    }

    /// <summary>Reads an expert's values.</summary>
    public void ReadExpert(int expert, TensorBlock block, Span<float> destination)
    {
        _cancellation.ThrowIfCancellationRequested();
        _pool.Experts[expert].ReadParameter(block.Tensor, block.Start, destination);
    }

    /// <summary>Reads an expert's task vector.</summary>
    /// <exception cref="SmileException">It holds a NaN or an infinity.</exception>
    public void Read(int expert, TensorBlock block, Span<float> destination)
    {
        _cancellation.ThrowIfCancellationRequested();
        _pool.Experts[expert].ReadTaskVector(_pool.Pretrained, block.Tensor, block.Start, destination);
        if (destination.ContainsAnyExceptInRange(float.MinValue, float.MaxValue))
        {
            throw NotFinite(block.Tensor);
        }
    }

    /// <summary>Reads an expert's weight delta of a linear layer, D_t [outputs, inputs].</summary>
    /// <returns>The delta; the caller disposes it, and the matrix with it.</returns>
    /// <exception cref="SmileException">It holds a NaN or an infinity.</exception>
    public WeightDelta ReadDelta(int expert, LinearLayerInfo layer)
    {
        _cancellation.ThrowIfCancellationRequested();
        return _pool.Experts[expert].ReadDelta(_pool.Pretrained, layer, Threads);
    }

    /// <summary>Sums the experts' weight deltas of a linear layer [outputs, inputs].</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="weights">Each expert's factor; 1 where null.</param>
    /// <returns>The matrix; the caller disposes it.</returns>
    /// <exception cref="SmileException">A delta holds a NaN or an infinity.</exception>
    public Matrix SumDeltas(LinearLayerInfo layer, double[]? weights = null)
    {
        var sum = new Matrix(layer.Outputs, layer.Inputs);
        for (int expert = 0; expert < Count; expert++)
        {
            using WeightDelta delta = ReadDelta(expert, layer);
            float weight = (float)(weights?[expert] ?? 1);
            for (int row = 0; row < layer.Outputs; row++)
            {
                Span<float> to = sum.Row(row);
                ReadOnlySpan<float> from = delta.ToMatrix().Row(row);
                for (int i = 0; i < to.Length; i++)
                {
                    to[i] += weight * from[i];
                }
            }
        }

        return sum;
    }

    /// <summary>Refuses experts that are whole models.</summary>
    /// <param name="method">Who refuses them.</param>
    /// <exception cref="SmileException">An expert is no LoRA adapter.</exception>
    public void RequireAdapters(string method)
    {
        if (_pool.Experts.FirstOrDefault(expert => expert is not AdapterExpert) is { } whole)
        {
            throw new SmileException($"{method} merges LoRA adapters; expert {whole.Name} ({whole.Location}) is a whole model.");
        }
    }

    /// <summary>Does something for every block of a tensor, on all threads.</summary>
    public void ForBlocks(TensorInfo tensor, Action<TensorBlock> action)
    {
        TensorBlock[] blocks = TensorBlock.Split(tensor);
        Threads.For(blocks.Length, i => action(blocks[i]));
    }

    /// <summary>The error of a tensor that holds a value that is not finite, in whichever model it is.</summary>
    public SmileException NotFinite(string tensor)
        => new ITensorSource[] { _pool.Pretrained }.Concat(_pool.Experts.Select(expert => expert.Parameters))
            .Select(source => DeltaArithmetic.FindNotFinite(source, tensor))
            .FirstOrDefault(found => found is not null)
            ?? new SmileException($"{Location}: tensor {tensor}: a task vector or the merged value overflows float32.");
}

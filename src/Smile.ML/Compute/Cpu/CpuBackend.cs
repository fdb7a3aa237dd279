using System.Runtime.CompilerServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>The managed backend: float32 in native memory, vector kernels, a fork-join pool of threads.</summary>
internal sealed unsafe class CpuBackend : Backend
{
    private readonly WorkerPool _pool;
    private readonly TensorCache _cache = new();
    private readonly Stack<CpuRoutingDecision> _decisions = new();
    private readonly bool _ownsPool;

    /// <summary>Creates the backend.</summary>
    /// <param name="threads">Threads to compute with; null for the machine's (its cgroup's) processors.</param>
    public CpuBackend(int? threads = null)
    {
        _ownsPool = threads is not null;
        _pool = threads is { } count ? new WorkerPool(count) : WorkerPool.Shared;
    }

    /// <summary>Makes the backend that options ask for.</summary>
    /// <exception cref="SmileException">The device is not just <c>cpu</c>.</exception>
    public static CpuBackend Create(ComputeOptions options)
        => options.Device.Contains(':', StringComparison.Ordinal)
            ? throw new SmileException($"Device is \"{options.Device}\"; the CPU is just \"cpu\".")
            : new CpuBackend(options.Threads);

    public override string Name => "cpu";

    public override Tensor Rent(int rows, int columns) => _cache.Rent(rows, columns);

    public override void Upload(ReadOnlySpan<float> values, Tensor destination)
        => values.CopyTo(new Span<float>(Pointer(destination), checked((int)destination.Length)));

    public override void Download(Tensor source, Span<float> values)
        => new ReadOnlySpan<float>(Pointer(source), checked((int)source.Length)).CopyTo(values);

    public override DenseWeights LoadDense(int outputs, int inputs, RowReader weight, float[]? bias)
        => new CpuDenseWeights(Pack(outputs, inputs, weight), LoadVector(bias));

    public override ExpertWeights LoadExperts(int outputs, int inputs, int routerRank, IReadOnlyList<ExpertDefinition> experts)
    {
        var loaded = new CpuExpertWeights.Expert[experts.Count];
        for (int e = 0; e < loaded.Length; e++)
        {
            ExpertDefinition expert = experts[e];
            int reused = expert.RouterScales.Length;
            int rank = expert.Rank ?? inputs;
            loaded[e] = new CpuExpertWeights.Expert(
                expert.Rank > reused ? Pack(rank - reused, inputs, (row, destination) => expert.Down!(row + reused, destination)) : null,
                rank > 0 ? Pack(outputs, rank, expert.Up!) : null,
                expert.RouterScales,
                rank,
                LoadVector(expert.Bias));
        }

        return new CpuExpertWeights(outputs, routerRank, loaded);
    }

    public override void Multiply(Tensor input, ReadOnlySpan<DenseProduct> products)
    {
        var fewOutputs = default(FewOutputs);
        Span<GemmOutput> outputs = fewOutputs;
        outputs = products.Length <= outputs.Length ? outputs[..products.Length] : new GemmOutput[products.Length];
        for (int i = 0; i < products.Length; i++)
        {
            var weights = (CpuDenseWeights)products[i].Weights;
            outputs[i] = new GemmOutput
            {
                Weights = weights.Weights,
                Result = Pointer(products[i].Result),
                Stride = products[i].Result.Columns,
                Bias = weights.Bias is { } bias ? bias.Pointer : null,
            };
        }

        Gemm.Multiply(_pool, input.Rows, Pointer(input), input.Columns, outputs);
    }

    public override RoutingDecision Route(Tensor? gate, int tokens, IRowRouter router)
    {
        var decision = CpuRoutingDecision.Rent(_decisions, tokens, router.ExpertCount, router.ExpertsPerToken);
        RowWork.Run(_pool, tokens, gate?.Columns ?? 1, new RouteRows((CpuTensor?)gate, router, decision));
        return decision;
    }

    public override void AddExperts(Tensor input, Tensor? gate, RoutingDecision decision, ExpertWeights experts, Tensor result)
        => ExpertKernel.Add(
            _pool, _cache, (CpuTensor)input, (CpuTensor?)gate, (CpuRoutingDecision)decision, (CpuExpertWeights)experts, (CpuTensor)result);

    public override void LayerNorm(Tensor input, Tensor gain, Tensor bias, float epsilon, Tensor result)
        => RowWork.Run(
            _pool,
            input.Rows,
            input.Columns,
            new NormKernels.LayerNorm(Pointer(input), Pointer(gain), Pointer(bias), epsilon, input.Columns, Pointer(result)));

    public override void RmsNorm(Tensor input, Tensor gain, float epsilon, Tensor result)
        => RowWork.Run(
            _pool, input.Rows, input.Columns, new NormKernels.RmsNorm(Pointer(input), Pointer(gain), epsilon, input.Columns, Pointer(result)));

    public override void Activate(Tensor values, Activation activation)
    {
        switch (activation)
        {
            case Activation.Relu: Map<ElementKernels.Relu>(values); break;
            case Activation.Gelu: Map<ElementKernels.Gelu>(values); break;
            case Activation.GeluTanh: Map<ElementKernels.GeluTanh>(values); break;
            case Activation.QuickGelu: Map<ElementKernels.QuickGelu>(values); break;
            case Activation.Silu: Map<ElementKernels.Silu>(values); break;
            case Activation.Tanh: Map<ElementKernels.Tanh>(values); break;
            default: throw new ArgumentOutOfRangeException(nameof(activation), activation, "Unknown activation");
        }
    }

    public override void Add(Tensor target, Tensor values) => Combine<ElementKernels.Sum>(target, values);

    public override void MultiplyElements(Tensor target, Tensor values) => Combine<ElementKernels.Product>(target, values);

    public override void Rotate(Tensor values, Tensor angles)
        => RowWork.Run(
            _pool,
            values.Rows,
            values.Columns,
            new RotaryKernel(Pointer(values), values.Columns / angles.Columns, Pointer(angles), angles.Columns, angles.Rows));

    public override void GatherRows(Tensor source, ReadOnlySpan<int> rows, Tensor result)
    {
        var (from, to) = ((CpuTensor)source, (CpuTensor)result);
        for (int i = 0; i < rows.Length; i++)
        {
            from.Row(rows[i]).CopyTo(to.Row(i));
        }
    }

    public override void ScatterRows(Tensor source, ReadOnlySpan<int> rows, Tensor target)
    {
        var (from, to) = ((CpuTensor)source, (CpuTensor)target);
        for (int i = 0; i < rows.Length; i++)
        {
            from.Row(i % from.Rows).CopyTo(to.Row(rows[i]));
        }
    }

    public override void SpreadDiagonals(Tensor table, ReadOnlySpan<int> rows, Tensor result)
    {
        var (from, to) = ((CpuTensor)table, (CpuTensor)result);
        int queries = to.Rows / from.Columns;
        Span<float> diagonals = new float[rows.Length];
        for (int head = 0; head < from.Columns; head++)
        {
            for (int i = 0; i < rows.Length; i++)
            {
                diagonals[i] = from.Row(rows[i])[head];
            }

            for (int query = 0; query < queries; query++)
            {
                diagonals.Slice(queries - 1 - query, to.Columns).CopyTo(to.Row((head * queries) + query));
            }
        }
    }

    public override void ExtractPatches(Tensor images, PatchGeometry geometry, Tensor patches)
    {
        float* target = Pointer(patches);
        for (int image = 0; image < images.Rows; image++)
        {
            float* source = Pointer(images) + ((nint)image * geometry.ImageLength);
            for (int patch = 0; patch < geometry.Patches; patch++)
            {
                nint corner = ((nint)(patch / geometry.Side) * geometry.PatchSize * geometry.ImageSize) + (patch % geometry.Side * geometry.PatchSize);
                for (int line = 0; line < geometry.Channels * geometry.PatchSize; line++)
                {
                    nint channel = line / geometry.PatchSize;
                    nint y = line % geometry.PatchSize;
                    float* from = source + (channel * geometry.ImageSize * geometry.ImageSize) + corner + (y * geometry.ImageSize);
                    new ReadOnlySpan<float>(from, geometry.PatchSize).CopyTo(new Span<float>(target, geometry.PatchSize));
                    target += geometry.PatchSize;
                }
            }
        }
    }

    public override void Attention(Tensor queries, Tensor keys, Tensor values, in AttentionShape shape, Tensor result)
    {
        var kernel = new AttentionKernel(_cache, Pointer(queries), Pointer(keys), Pointer(values), shape, Pointer(result));
        _pool.For(kernel.Count, ref kernel);
    }

    public override void Dispose()
    {
        _cache.Dispose();
        if (_ownsPool)
        {
            _pool.Dispose();
        }
    }

    private static float* Pointer(Tensor tensor) => ((CpuTensor)tensor).Pointer;

    private PackedMatrix Pack(int rows, int depth, RowReader reader) => PackedMatrix.FromRows(rows, depth, new ReaderSource(reader), _pool);

    private CpuTensor? LoadVector(float[]? values)
    {
        if (values is null)
        {
            return null;
        }

        CpuTensor tensor = _cache.Rent(1, values.Length);
        Upload(values, tensor);
        return tensor;
    }

    private void Map<TFunction>(Tensor values)
        where TFunction : struct, ElementKernels.IFunction
        => RowWork.Run(_pool, values.Rows, values.Columns, new ElementKernels.Map<TFunction>(Pointer(values), values.Columns));

    private void Combine<TFunction>(Tensor target, Tensor values)
        where TFunction : struct, ElementKernels.IFunction2
        => RowWork.Run(
            _pool,
            target.Rows,
            target.Columns,
            new ElementKernels.Combine<TFunction>(Pointer(target), Pointer(values), target.Columns, values.Rows));

    /// <summary>Room on the stack for the products of query, key and value, each with its router.</summary>
    [InlineArray(6)]
    private struct FewOutputs
    {
        private GemmOutput _first;
    }

    private readonly struct ReaderSource(RowReader reader) : IRowSource
    {
        public void ReadRows(int first, Span<float> destination) => reader(first, destination);
    }

    private readonly struct RouteRows(CpuTensor? gate, IRowRouter router, CpuRoutingDecision decision) : IRowOperation
    {
        public void Execute(int start, int end)
        {
            for (int token = start; token < end; token++)
            {
                ReadOnlySpan<float> row = gate is null ? default : gate.Row(token);
                router.Route(row, decision.Scores(token), decision.Selected(token), decision.Weights(token));
            }
        }
    }
}

using System.Buffers;
using System.Runtime.InteropServices;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Routing;

namespace Smile.ML.Cuda;

/// <summary>
/// Runs networks on one GPU: float32 matrices, this assembly's kernels, one stream. Backends on the same device share its context and
/// its compiled kernels.
/// </summary>
internal sealed unsafe class CudaBackend : Backend
{
    // As in the kernels' sources.
    private const int TileThreads = 128;
    private const int TileRows = 64;
    private const int WideColumns = 64;
    private const int NarrowColumns = 16;
    private const int RoutingThreads = 128;
    private const int RoutingExperts = 1024;
    private const int GroupingThreads = 256;
    private const int NormThreads = 256;
    private const int AttentionThreads = 128;
    private const int ElementThreads = 256;
    private const int WarpSize = 32;
    private const int MaxHeadSize = 256;

    private const int LoadBytes = 4 << 20;

    private readonly CudaDevice _device;
    private readonly CudaOptions _options;
    private readonly CudaQueue _queue;
    private readonly CudaMemoryPool _pool;
    private readonly string _precision;
    private readonly CublasLt? _cublasLt;

    public CudaBackend(CudaDevice device, CudaOptions options)
    {
        _device = device;
        _options = options;
        _precision = options.Precision switch
        {
            MatrixPrecision.Full => "float32",
            MatrixPrecision.Tf32x3 => "tf32x3",
            MatrixPrecision.BFloat16x3 => "bf16x3",
            MatrixPrecision.Tf32 => "tf32",
            MatrixPrecision.Float16 => "float16",
            MatrixPrecision.BFloat16 => "bf16",
            _ => throw new SmileException($"Precision is {options.Precision}; expected one of {string.Join(", ", Enum.GetNames<MatrixPrecision>())}."),
        };
        _queue = new CudaQueue(device);
        _pool = new CudaMemoryPool(device, exact: options.CheckMemory);
        _cublasLt = options.UseCublasLt ? new CublasLt(device.Context, options.CublasLtPath, options.Precision) : null;
    }

    public override string Name => _device.Name;

    /// <summary>Gets the stream's queue, for measuring.</summary>
    internal CudaQueue Queue => _queue;

    public override Tensor Rent(int rows, int columns)
    {
        var tensor = new CudaTensor(_pool, rows, columns);
        if (_options.CheckMemory)
        {
            _queue.Fill(tensor.Memory, uint.MaxValue, tensor.Length);
        }

        return tensor;
    }

    public override void Upload(ReadOnlySpan<float> values, Tensor destination)
        => _queue.Upload(values[..checked((int)destination.Length)], ((CudaTensor)destination).Memory);

    public override void Download(Tensor source, Span<float> values)
        => _queue.Download(((CudaTensor)source).Memory, values[..checked((int)source.Length)]);

    public override void Synchronize() => _queue.Synchronize();

    public override DenseWeights LoadDense(int outputs, int inputs, RowReader weight, float[]? bias)
        => new CudaDenseWeights(outputs, inputs, LoadRows(outputs, inputs, 0, weight), bias is null ? null : Load<float>(bias));

    public override ExpertWeights LoadExperts(int outputs, int inputs, int routerRank, IReadOnlyList<ExpertDefinition> experts)
    {
        var factors = new List<DeviceMemory>();
        var entries = new CudaExpertWeights.Entry[experts.Count];
        for (int e = 0; e < entries.Length; e++)
        {
            ExpertDefinition expert = experts[e];
            int reused = expert.RouterScales.Length;
            int rank = expert.Rank ?? inputs;
            entries[e] = new CudaExpertWeights.Entry
            {
                Down = expert.Rank > reused ? Keep(LoadRows(rank - reused, inputs, reused, expert.Down!)) : 0,
                Up = rank > 0 ? Keep(LoadRows(outputs, rank, 0, expert.Up!)) : 0,
                Bias = expert.Bias is { } bias ? Keep(Load<float>(bias)) : 0,
                RouterScales = reused > 0 ? Keep(Load<float>(expert.RouterScales)) : 0,
                Rank = rank,
                Reused = reused,
                Dense = expert.Rank is null ? 1 : 0,
            };
        }

        return new CudaExpertWeights(outputs, inputs, routerRank, entries, Load<CudaExpertWeights.Entry>(entries), factors);

        ulong Keep(DeviceMemory memory)
        {
            factors.Add(memory);
            return memory.Address;
        }
    }

    public override void Multiply(Tensor input, ReadOnlySpan<DenseProduct> products)
    {
        if (_cublasLt is not null)
        {
            foreach (DenseProduct product in input.Rows == 0 ? [] : products)
            {
                _cublasLt.Multiply(_queue.Stream, Address(input), input.Rows, (CudaDenseWeights)product.Weights, Address(product.Result));
            }

            return;
        }

        for (; products.Length > ProductArguments.MaxProducts; products = products[ProductArguments.MaxProducts..])
        {
            MultiplyTogether((CudaTensor)input, products[..ProductArguments.MaxProducts]);
        }

        MultiplyTogether((CudaTensor)input, products);
    }

    public override RoutingDecision Route(Tensor? gate, int tokens, IRowRouter router)
    {
        (int experts, int choices) = (router.ExpertCount, router.ExpertsPerToken);
        var decision = new CudaRoutingDecision(_queue, _pool, tokens, experts, choices);
        if (router is SmileRouter && experts is > 1 and <= RoutingExperts)
        {
            _queue.Launch(
                "routing",
                "route",
                Blocks((long)tokens * WarpSize, RoutingThreads),
                1,
                RoutingThreads,
                gate is CudaTensor projections ? projections.Address : 0,
                tokens,
                experts,
                (gate?.Columns ?? 0) / experts,
                choices,
                decision.Scores.Address,
                decision.Selected.Address,
                decision.Weights.Address);
        }
        else
        {
            RouteOnHost(gate, router, decision);
        }

        _queue.Launch(
            "grouping",
            "group_by_expert",
            tokens == 0 ? 0 : experts,
            choices,
            GroupingThreads,
            decision.Selected.Address,
            tokens,
            experts,
            choices,
            decision.Order.Address,
            decision.Starts.Address);
        return decision;
    }

    public override void AddExperts(Tensor input, Tensor? gate, RoutingDecision decision, ExpertWeights experts, Tensor result)
    {
        var (weights, routing) = ((CudaExpertWeights)experts, (CudaRoutingDecision)decision);
        if (!weights.HasEffect)
        {
            return;
        }

        // As many tiles as there can be: one for every full one, and one more for each expert.
        long tiles = Math.Min(routing.Tokens, (routing.Tokens / TileRows) + weights.Count);
        int stride = (weights.MaxRank + 3) / 4 * 4;
        using Tensor factors = Rent(routing.Tokens, stride);
        for (int choice = 0; choice < routing.ExpertsPerToken; choice++)
        {
            ulong order = routing.Order.Address + ((ulong)choice * (ulong)routing.Tokens * sizeof(int));
            ulong starts = routing.Starts.Address + ((ulong)choice * ((ulong)weights.Count + 1) * sizeof(int));
            if (weights.MaxRank > 0)
            {
                _queue.Launch(
                    "experts_down",
                    $"experts_down_{_precision}",
                    tiles,
                    Math.Max(1, Blocks(weights.MaxOwnRank, NarrowColumns)),
                    TileThreads,
                    Address(input),
                    weights.Inputs,
                    gate is null ? 0 : Address(gate),
                    gate?.Columns ?? 0,
                    weights.RouterRank,
                    order,
                    starts,
                    weights.Table,
                    weights.Count,
                    Address(factors),
                    stride);
            }

            _queue.Launch(
                "experts_up",
                $"experts_up_{_precision}",
                tiles,
                Blocks(weights.Outputs, WideColumns),
                TileThreads,
                Address(input),
                weights.Inputs,
                Address(factors),
                stride,
                order,
                starts,
                weights.Table,
                weights.Count,
                routing.Weights.Address,
                routing.ExpertsPerToken,
                choice,
                Address(result),
                weights.Outputs);
        }
    }

    public override void LayerNorm(Tensor input, Tensor gain, Tensor bias, float epsilon, Tensor result)
        => _queue.Launch(
            "norms", "layer_norm", input.Rows, 1, NormThreads, Address(input), Address(gain), Address(bias), epsilon, input.Columns, Address(result));

    public override void RmsNorm(Tensor input, Tensor gain, float epsilon, Tensor result)
        => _queue.Launch("norms", "rms_norm", input.Rows, 1, NormThreads, Address(input), Address(gain), epsilon, input.Columns, Address(result));

    public override void Activate(Tensor values, Activation activation)
    {
        string kernel = activation switch
        {
            Activation.Relu => "activate_relu",
            Activation.Gelu => "activate_gelu",
            Activation.GeluTanh => "activate_gelu_tanh",
            Activation.QuickGelu => "activate_quick_gelu",
            Activation.Silu => "activate_silu",
            Activation.Tanh => "activate_tanh",
            _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, "Unknown activation"),
        };
        LaunchElements("activations", kernel, values.Length, Address(values), values.Length);
    }

    public override void Add(Tensor target, Tensor values) => Combine("add_rows", target, values);

    public override void MultiplyElements(Tensor target, Tensor values) => Combine("multiply_rows", target, values);

    public override void Rotate(Tensor values, Tensor angles)
    {
        long pairs = values.Length / 2;
        LaunchElements(
            "positions", "rotate", pairs, Address(values), pairs, values.Columns / angles.Columns, angles.Columns, Address(angles), angles.Rows);
    }

    public override void GatherRows(Tensor source, ReadOnlySpan<int> rows, Tensor result)
    {
        long count = (long)rows.Length * source.Columns;
        DeviceMemory indices = RentFor(rows);
        LaunchElements("rows", "gather_rows", count, Address(source), indices.Address, count, source.Columns, Address(result));
        _pool.Return(indices);
    }

    public override void ScatterRows(Tensor source, ReadOnlySpan<int> rows, Tensor target)
    {
        long count = (long)rows.Length * source.Columns;
        DeviceMemory indices = RentFor(rows);
        LaunchElements("rows", "scatter_rows", count, Address(source), indices.Address, count, source.Columns, source.Rows, Address(target));
        _pool.Return(indices);
    }

    public override void SpreadDiagonals(Tensor table, ReadOnlySpan<int> rows, Tensor result)
    {
        DeviceMemory diagonals = RentFor(rows);
        LaunchElements(
            "positions",
            "spread_diagonals",
            result.Length,
            Address(table),
            table.Columns,
            diagonals.Address,
            result.Length,
            result.Rows / table.Columns,
            result.Columns,
            Address(result));
        _pool.Return(diagonals);
    }

    public override void ExtractPatches(Tensor images, PatchGeometry geometry, Tensor patches)
        => LaunchElements(
            "patches",
            "extract_patches",
            patches.Length,
            Address(images),
            patches.Length,
            geometry.Channels,
            geometry.ImageSize,
            geometry.PatchSize,
            Address(patches));

    public override void Attention(Tensor queries, Tensor keys, Tensor values, in AttentionShape shape, Tensor result)
    {
        (string kernel, int blockQueries) = shape.HeadSize switch
        {
            <= 64 => ("attention_64", 16),
            <= 128 => ("attention_128", 16),
            <= MaxHeadSize => ("attention_256", 8),
            _ => throw new SmileException($"An attention head has {shape.HeadSize} features; {Name} supports up to {MaxHeadSize}."),
        };
        DeviceMemory? counts = shape.KeyCounts is { } keyCounts ? RentFor<int>(keyCounts) : null;
        DeviceMemory? mask = shape.KeyMask is { } keyMask ? RentFor<byte>(keyMask) : null;
        var arguments = new AttentionArguments
        {
            Queries = Address(queries),
            Keys = Address(keys),
            Values = Address(values),
            Bias = shape.Bias is null ? 0 : Address(shape.Bias),
            KeyCounts = counts?.Address ?? 0,
            Mask = mask?.Address ?? 0,
            Result = Address(result),
            QueryTokens = shape.QueryTokens,
            KeyTokens = shape.KeyTokens,
            KeyStride = shape.KeyStride > 0 ? shape.KeyStride : shape.KeyTokens,
            Heads = shape.Heads,
            KeyHeads = shape.KeyValueHeads,
            HeadSize = shape.HeadSize,
            Causal = shape.Causal ? 1 : 0,
            Window = shape.Window,
            Scale = shape.Scale,
        };
        _queue.Launch(
            "attention",
            kernel,
            (long)shape.Batch * shape.Heads,
            Blocks(shape.QueryTokens, blockQueries),
            AttentionThreads,
            KernelArgument.Structure(&arguments));
        Return(counts);
        Return(mask);
    }

    public override void Dispose()
    {
        _cublasLt?.Dispose();
        _pool.Dispose();
        _queue.Dispose();
    }

    private static ulong Address(Tensor tensor) => ((CudaTensor)tensor).Address;

    private static long Blocks(long count, int perBlock) => (count + perBlock - 1) / perBlock;

    private void LaunchElements(string module, string kernel, long count, params ReadOnlySpan<KernelArgument> arguments)
        => _queue.Launch(module, kernel, Blocks(count, ElementThreads), 1, ElementThreads, arguments);

    private void Combine(string kernel, Tensor target, Tensor values)
        => LaunchElements("rows", kernel, target.Length, Address(target), target.Length, target.Columns, Address(values), values.Rows);

    private void MultiplyTogether(CudaTensor input, ReadOnlySpan<DenseProduct> products)
    {
        var arguments = new ProductArguments { Count = products.Length };
        int tiles = 0;

        // With one row of tiles, more of them make up for it.
        bool narrow = input.Rows <= TileRows;
        for (int i = 0; i < products.Length; i++)
        {
            var weights = (CudaDenseWeights)products[i].Weights;
            arguments.Items[i] = new ProductArguments.Product
            {
                Weight = weights.Weight,
                Bias = weights.Bias,
                Result = Address(products[i].Result),
                Outputs = weights.Outputs,
                FirstTile = tiles,
            };
            tiles += (int)Blocks(weights.Outputs, narrow ? NarrowColumns : WideColumns);
        }

        _queue.Launch(
            "dense",
            narrow ? $"dense_narrow_{_precision}" : $"dense_{_precision}",
            Blocks(input.Rows, TileRows),
            tiles,
            TileThreads,
            input.Address,
            input.Rows,
            input.Columns,
            KernelArgument.Structure(&arguments));
    }

    /// <summary>Routes by a policy that has no kernel: its code runs on the host.</summary>
    private void RouteOnHost(Tensor? gate, IRowRouter router, CudaRoutingDecision decision)
    {
        float[] projections = gate is null ? [] : new float[gate.Length];
        if (gate is not null)
        {
            Download(gate, projections);
        }

        int width = gate?.Columns ?? 0;
        (int experts, int choices) = (router.ExpertCount, router.ExpertsPerToken);
        var scores = new float[decision.Tokens * experts];
        var selected = new int[decision.Tokens * choices];
        var weights = new float[decision.Tokens * choices];
        for (int token = 0; token < decision.Tokens; token++)
        {
            router.Route(
                projections.AsSpan(token * width, width),
                scores.AsSpan(token * experts, experts),
                selected.AsSpan(token * choices, choices),
                weights.AsSpan(token * choices, choices));
        }

        _queue.Upload<float>(scores, decision.Scores);
        _queue.Upload<int>(selected, decision.Selected);
        _queue.Upload<float>(weights, decision.Weights);
    }

    /// <summary>Copies a matrix to the device, block of rows by block.</summary>
    private DeviceMemory LoadRows(int rows, int columns, int firstRow, RowReader reader)
    {
        DeviceMemory memory = _pool.Allocate((long)rows * columns * sizeof(float));
        int perBlock = Math.Clamp(LoadBytes / sizeof(float) / columns, 1, rows);
        float[] block = ArrayPool<float>.Shared.Rent(perBlock * columns);
        try
        {
            for (int start = 0; start < rows; start += perBlock)
            {
                int count = Math.Min(perBlock, rows - start);
                Parallel.For(0, count, row => reader(firstRow + start + row, block.AsSpan(row * columns, columns)));
                _queue.Upload<float>(block.AsSpan(0, count * columns), memory, (long)start * columns * sizeof(float));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(block);
        }

        return memory;
    }

    private DeviceMemory Load<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        DeviceMemory memory = _pool.Allocate(MemoryMarshal.AsBytes(values).Length);
        _queue.Upload(values, memory);
        return memory;
    }

    private DeviceMemory RentFor<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        DeviceMemory memory = _pool.Rent(MemoryMarshal.AsBytes(values).Length);
        _queue.Upload(values, memory);
        return memory;
    }

    private void Return(DeviceMemory? memory)
    {
        if (memory is not null)
        {
            _pool.Return(memory);
        }
    }
}

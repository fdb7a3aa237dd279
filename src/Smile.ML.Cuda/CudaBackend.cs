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
    private const int RoutingThreads = 128;
    private const int RoutingExperts = 1024;
    private const int GroupingThreads = 256;
    private const int NormThreads = 256;
    private const int AttentionThreads = 128;
    private const int ElementThreads = 256;
    private const int WarpSize = 32;
    private const int MaxHeadSize = 256;

    private readonly CudaDevice _device;
    private readonly CudaOptions _options;
    private readonly CudaQueue _queue;
    private readonly CudaMemoryPool _pool;
    private readonly CudaWeightLoader _loader;
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
        _cublasLt = options.UseCublasLt ? new CublasLt(device.Context, options.CublasLtPath, options.Precision) : null;
        _queue = new CudaQueue(device, _cublasLt, options.UseGraphs);
        _pool = new CudaMemoryPool(device, _queue, exact: options.CheckMemory);
        _loader = new CudaWeightLoader(_queue, _pool, options.Precision);
    }

    public override string Name => _device.Name;

    /// <summary>Gets a value indicating whether cuBLASLt computes the dense products.</summary>
    internal bool UsesCublasLt => _cublasLt is not null;

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
    {
        // cuBLASLt takes both factors in the same type, and the input is float32 unless the precision says otherwise.
        WeightStorage storage = _cublasLt is not null && !UsesHalfProducts
            ? WeightStorage.Float32
            : _loader.ChooseStorage((outputs, inputs, 0, weight));
        return new CudaDenseWeights(
            _queue, outputs, inputs, _loader.Load(outputs, inputs, 0, weight, storage), bias is null ? null : _loader.Load<float>(bias));
    }

    public override ExpertWeights LoadExperts(int outputs, int inputs, int routerRank, IReadOnlyList<ExpertDefinition> experts)
    {
        var factors = new List<DeviceMemory>();
        WeightStorage storage = _loader.ChooseStorage(experts.SelectMany(expert => Matrices(expert).OfType<(int, int, int, RowReader)>()));
        var entries = new CudaExpertWeights.Entry[experts.Count];
        for (int e = 0; e < entries.Length; e++)
        {
            ExpertDefinition expert = experts[e];
            (int Rows, int Columns, int FirstRow, RowReader Reader)?[] matrices = Matrices(expert);
            entries[e] = new CudaExpertWeights.Entry
            {
                Down = KeepMatrix(matrices[0]),
                Up = KeepMatrix(matrices[1]),
                Bias = expert.Bias is { } bias ? Keep(_loader.Load<float>(bias)) : 0,
                RouterScales = expert.RouterScales.Length > 0 ? Keep(_loader.Load<float>(expert.RouterScales)) : 0,
                Rank = expert.Rank ?? inputs,
                Reused = expert.RouterScales.Length,
                Dense = expert.Rank is null ? 1 : 0,
            };
        }

        return new CudaExpertWeights(
            _queue, outputs, inputs, routerRank, storage, entries, _loader.Load<CudaExpertWeights.Entry>(entries), factors);

        // The rows of svh that the router doesn't compute, and u or a dense expert's weight delta.
        (int Rows, int Columns, int FirstRow, RowReader Reader)?[] Matrices(ExpertDefinition expert)
        {
            int reused = expert.RouterScales.Length, rank = expert.Rank ?? inputs;
            return
            [
                expert.Rank > reused ? (rank - reused, inputs, reused, expert.Down!) : null,
                rank > 0 ? (outputs, rank, 0, expert.Up!) : null,
            ];
        }

        ulong KeepMatrix((int Rows, int Columns, int FirstRow, RowReader Reader)? matrix)
            => matrix is { } m ? Keep(_loader.Load(m.Rows, m.Columns, m.FirstRow, m.Reader, storage).Memory) : 0;

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
            MultiplyByCublasLt(input, products);
            return;
        }

        // One launch for all products whose weights lie in memory alike.
        Span<DenseProduct> alike = new DenseProduct[products.Length];
        foreach (WeightStorage storage in (ReadOnlySpan<WeightStorage>)[WeightStorage.Float32, WeightStorage.BFloat16, WeightStorage.Float16])
        {
            int count = 0;
            foreach (DenseProduct product in products)
            {
                if (((CudaDenseWeights)product.Weights).Storage == storage)
                {
                    alike[count++] = product;
                }
            }

            for (int first = 0; first < count; first += ProductArguments.MaxProducts)
            {
                MultiplyTogether((CudaTensor)input, storage, alike[first..Math.Min(count, first + ProductArguments.MaxProducts)]);
            }
        }
    }

    public override RoutingDecision Route(Tensor? gate, int tokens, IRowRouter router)
    {
        (int experts, int choices) = (router.ExpertCount, router.ExpertsPerToken);
        var decision = new CudaRoutingDecision(_queue, _pool, tokens, experts, choices);
        if (router is SmileRouter && experts is > 1 and <= RoutingExperts)
        {
            _queue.Launch(
                new CudaKernel("routing", "route", RoutingThreads),
                Blocks((long)tokens * WarpSize, RoutingThreads),
                1,
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
            new CudaKernel("grouping", "group_by_expert", GroupingThreads),
            tokens == 0 ? 0 : experts,
            choices,
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

        int stride = (weights.MaxRank + 3) / 4 * 4;
        using Tensor factors = Rent(routing.Tokens, stride);
        for (int choice = 0; choice < routing.ExpertsPerToken; choice++)
        {
            ulong order = routing.Order.Address + ((ulong)choice * (ulong)routing.Tokens * sizeof(int));
            ulong starts = routing.Starts.Address + ((ulong)choice * ((ulong)weights.Count + 1) * sizeof(int));
            if (weights.MaxRank > 0)
            {
                _queue.Launch(
                    ProductKernel("experts_down", TileShape.Narrow, weights.Storage),
                    ExpertTiles(TileShape.Narrow),
                    Math.Max(1, Blocks(weights.MaxOwnRank, TileShape.Narrow.Columns)),
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
                ProductKernel("experts_up", TileShape.Middle, weights.Storage),
                ExpertTiles(TileShape.Middle),
                Blocks(weights.Outputs, TileShape.Middle.Columns),
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

        // As many tiles as there can be: one for every full one, and one more for each expert.
        long ExpertTiles(TileShape shape) => Math.Min(routing.Tokens, (routing.Tokens / shape.Rows) + weights.Count);
    }

    public override void LayerNorm(Tensor input, Tensor gain, Tensor bias, float epsilon, Tensor result)
        => _queue.Launch(
            new CudaKernel("norms", "layer_norm", NormThreads), input.Rows, 1, Address(input), Address(gain), Address(bias), epsilon, input.Columns, Address(result));

    public override void RmsNorm(Tensor input, Tensor gain, float epsilon, Tensor result)
        => _queue.Launch(
            new CudaKernel("norms", "rms_norm", NormThreads), input.Rows, 1, Address(input), Address(gain), epsilon, input.Columns, Address(result));

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
            new CudaKernel("attention", kernel, AttentionThreads),
            (long)shape.Batch * shape.Heads,
            Blocks(shape.QueryTokens, blockQueries),
            KernelArgument.Structure(&arguments));
        Return(counts);
        Return(mask);
    }

    public override void Dispose()
    {
        // The stream first: it drops what is held back, and then nothing uses the rest.
        _queue.Dispose();
        _pool.Dispose();
        _cublasLt?.Dispose();
    }

    private bool UsesHalfProducts => _options.Precision is MatrixPrecision.BFloat16 or MatrixPrecision.Float16;

    private static ulong Address(Tensor tensor) => ((CudaTensor)tensor).Address;

    private static long Blocks(long count, int perBlock) => (count + perBlock - 1) / perBlock;

    private void LaunchElements(string module, string kernel, long count, params ReadOnlySpan<KernelArgument> arguments)
        => _queue.Launch(new CudaKernel(module, kernel, ElementThreads), Blocks(count, ElementThreads), 1, arguments);

    private void Combine(string kernel, Tensor target, Tensor values)
        => LaunchElements("rows", kernel, target.Length, Address(target), target.Length, target.Columns, Address(values), values.Rows);

    private void MultiplyTogether(CudaTensor input, WeightStorage storage, ReadOnlySpan<DenseProduct> products)
    {
        TileShape shape = ChooseShape(input.Rows, products);
        var arguments = new ProductArguments { Count = products.Length };
        int tiles = 0;
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
            tiles += (int)Blocks(weights.Outputs, shape.Columns);
        }

        _queue.Launch(
            ProductKernel($"dense_{shape.Name}", shape, storage),
            Blocks(input.Rows, shape.Rows),
            tiles,
            input.Address,
            input.Rows,
            input.Columns,
            KernelArgument.Structure(&arguments));
    }

    /// <summary>Chooses the largest tiles of which there are enough for the GPU.</summary>
    private TileShape ChooseShape(int rows, ReadOnlySpan<DenseProduct> products)
    {
        if (rows <= TileShape.Narrow.Rows)
        {
            return TileShape.Narrow;
        }

        (long wide, long middle) = (0, 0);
        foreach (DenseProduct product in products)
        {
            wide += TileShape.Wide.Count(rows, product.Weights.Outputs);
            middle += TileShape.Middle.Count(rows, product.Weights.Outputs);
        }

        // Factors in two parts, and the sums of multiply-adds, take the registers that wide tiles need.
        bool hasWide = _options.Precision is MatrixPrecision.Tf32 or MatrixPrecision.Float16 or MatrixPrecision.BFloat16;
        int multiprocessors = _options.Multiprocessors ?? _device.Multiprocessors;
        return hasWide && wide >= multiprocessors ? TileShape.Wide
            : 2 * middle >= multiprocessors ? TileShape.Middle
            : TileShape.Narrow;
    }

    private CudaKernel ProductKernel(string operation, TileShape shape, WeightStorage storage)
        => new(
            $"products_{_precision}",
            $"{operation}_{_precision}{(storage == WeightStorage.Float32 ? string.Empty : "_half")}",
            TileShape.Threads,
            shape.SharedBytes(storage));

    private void MultiplyByCublasLt(Tensor input, ReadOnlySpan<DenseProduct> products)
    {
        if (input.Rows == 0)
        {
            return;
        }

        DeviceMemory? rounded = null;
        if (UsesHalfProducts)
        {
            rounded = _pool.Rent((input.Length + 1) / 2 * sizeof(uint));
            LaunchElements(
                "rounding",
                _options.Precision == MatrixPrecision.BFloat16 ? "round_to_bf16" : "round_to_float16",
                (input.Length + 1) / 2,
                Address(input),
                input.Length,
                rounded.Address);
        }

        foreach (DenseProduct product in products)
        {
            var weights = (CudaDenseWeights)product.Weights;
            _queue.Multiply(new CublasLtProduct
            {
                Input = rounded?.Address ?? Address(input),
                Weight = weights.Weight,
                Bias = weights.Bias,
                Result = Address(product.Result),
                Rows = input.Rows,
                Outputs = weights.Outputs,
                Inputs = weights.Inputs,
                Storage = weights.Storage,
            });
        }

        Return(rounded);
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

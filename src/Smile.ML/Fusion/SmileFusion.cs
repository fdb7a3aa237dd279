using System.Diagnostics;
using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion.Merging;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;
using Smile.ML.Routing;

namespace Smile.ML.Fusion;

/// <summary>
/// SMILE: zero-shot sparse mixture of low-rank experts (arXiv 2408.10174). Every linear layer W_0 becomes a routed one: expert e is the
/// rank-k truncation of D_e = W_e - W_0 = U_e S_e V_e^T, its router rows are the first k_gate rows of V_e^T. Layers are read, fused and
/// written one by one; the inputs are never changed. Heads that the models don't have in common stay each expert's own.
/// </summary>
public sealed class SmileFusion
{
    /// <summary>FusionBench leaves a layer plain when every element of every delta is within this; one expert's small delta is taken apart as any.</summary>
    private const float FusionBenchZero = 1e-8f;

    // Where no limit is given. Layers too large to be worked on side by side within it keep all threads busy one by one.
    private const long AmpleMemory = 1L << 30;

    private readonly SmileFusionOptions _options;

    /// <summary>Creates a fusion.</summary>
    /// <param name="options">How to fuse; the defaults where null.</param>
    public SmileFusion(SmileFusionOptions? options = null) => _options = options ?? new SmileFusionOptions();

    private bool FollowsFusionBench => _options.Compatibility == FusionCompatibility.FusionBench;

    /// <summary>Gets the magnitude up to which deltas, if all of a layer are no larger, leave it plain.</summary>
    private float Unchanged => FollowsFusionBench ? FusionBenchZero : 0;

    /// <summary>Fuses a pool into a folder in FusionBench's layout. The folder appears when it is complete, or not at all.</summary>
    /// <param name="pool">The pretrained model and its experts.</param>
    /// <param name="outputFolder">The folder to write.</param>
    /// <param name="overwrite">Whether to replace a folder that is there already.</param>
    /// <param name="progress">Told after each layer; or null.</param>
    /// <param name="cancellationToken">Ends the fusion; nothing is left behind.</param>
    /// <returns>What was done.</returns>
    /// <exception cref="SmileException">
    /// An option is out of range, an expert doesn't fit the pretrained model, a delta is not finite, the memory limit is too low for a
    /// layer, or the output can't be written.
    /// </exception>
    /// <exception cref="OperationCanceledException">The fusion was cancelled.</exception>
    public FusionReport Fuse(
        ModelPool pool,
        string outputFolder,
        bool overwrite = false,
        IProgress<FusionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentException.ThrowIfNullOrEmpty(outputFolder);
        long start = Stopwatch.GetTimestamp();
        _options.Validate(pool.Experts.Count);
        NetworkManifest manifest = pool.Check();
        pool.RequireOutside(outputFolder);
        var keep = new LayerPatterns(_options.Keep, manifest);

        using IDisposable recycling = RecycledMemory.Keep();
        using var threads = new WorkerPool(_options.Threads ?? Environment.ProcessorCount, cancellationToken);
        using CheckpointWriter writer = CheckpointWriter.Create(outputFolder, LargestOutput(pool, manifest), overwrite);
        var output = new FusedTensorWriter(writer, _options.Precision);
        using var writing = new BackgroundWriting(aside: _options.MaxMemory is null);
        var upscaled = new List<string>();
        var kept = new Dictionary<string, string>();
        foreach (LinearLayerInfo layer in manifest.LinearLayers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (keep.Matches(layer.Name))
            {
                kept[layer.Name] = "kept by pattern";
            }
            else if (FuseLayer(pool, layer, threads, output, writing, cancellationToken) is { } write)
            {
                writing.Add(write);
                upscaled.Add(layer.Name);
            }
            else
            {
                kept[layer.Name] = "all deltas zero";
            }

            progress?.Report(new FusionProgress(upscaled.Count + kept.Count, manifest.LinearLayers.Count, layer.Name));
        }

        writing.Complete();
        WriteShared(pool, manifest, kept.ContainsKey, output, cancellationToken);
        writer.SetConfig(FusedConfig(pool, manifest));
        cancellationToken.ThrowIfCancellationRequested();
        writer.Commit();
        return new FusionReport
        {
            Experts = [.. pool.Experts.Select(expert => expert.Name)],
            Upscaled = upscaled,
            Kept = kept,
            TaskHeads = manifest.OwnHeads.Modules,
            PretrainedParameters = pool.Pretrained.CountParameters(),
            FusedParameters = output.Parameters,
            Elapsed = Stopwatch.GetElapsedTime(start),
        };
    }

    /// <summary>Upscales one layer and returns what writes it; null for a layer that stays plain, since no expert changed it.</summary>
    private Action? FuseLayer(
        ModelPool pool, LinearLayerInfo layer, WorkerPool threads, FusedTensorWriter output, BackgroundWriting writing, CancellationToken cancellationToken)
    {
        float[]?[] biases = [.. pool.Experts.Select(expert => expert.ReadBiasDelta(pool.Pretrained, layer))];
        var shared = new SharedPart(() => WriteSharedWeight(pool, layer, output), writing);
        LayerFactors?[] factors = Factorize(pool, layer, threads, shared, cancellationToken);
        bool weightsChanged = factors.Any(expert => expert?.Magnitude > Unchanged);
        bool biasesChanged = biases.Any(bias => bias is not null && bias.AsSpan().ContainsAnyExcept(0f));
        if (!weightsChanged && (FollowsFusionBench || !biasesChanged))
        {
            Array.ForEach(factors, expert => expert?.Dispose());
            return null;
        }

        return () =>
        {
            try
            {
                shared.Ensure();
                Write(pool, layer, factors, biases, weightsChanged, output);
            }
            finally
            {
                Array.ForEach(factors, expert => expert?.Dispose());
            }
        };
    }

    /// <summary>Takes every expert's delta apart; null for an expert that left the weight alone.</summary>
    private LayerFactors?[] Factorize(
        ModelPool pool, LinearLayerInfo layer, WorkerPool threads, SharedPart shared, CancellationToken cancellationToken)
    {
        var factors = new LayerFactors?[pool.Experts.Count];
        var work = new FactorizeExperts(this, pool, layer, threads, shared, factors, cancellationToken);
        try
        {
            // Full rounds of one expert a thread; those left over get all threads for each decomposition.
            int together = AtOnce(pool, layer, threads.Threads) == threads.Threads ? factors.Length - (factors.Length % threads.Threads) : 0;
            threads.For(together, ref work);
            for (int e = together; e < factors.Length; e++)
            {
                work.Execute(e);
            }
        }
        catch
        {
            Array.ForEach(factors, expert => expert?.Dispose());
            throw;
        }

        return factors;
    }

    /// <summary>How many experts of a layer to work on at once, within the memory limit.</summary>
    /// <exception cref="SmileException">The limit doesn't suffice for one, or a result is too large for an array.</exception>
    private int AtOnce(ModelPool pool, LinearLayerInfo layer, int threads)
    {
        long weight = (long)layer.Outputs * layer.Inputs * sizeof(float);
        (int rank, int routerRank) = Ranks(layer);
        Int128 largest = Int128.Max((Int128)pool.Experts.Count * routerRank * layer.Inputs, (Int128)rank * Math.Max(layer.Outputs, layer.Inputs));
        if (largest > Array.MaxLength)
        {
            throw new SmileException(
                $"{layer.Name} [{layer.Outputs}, {layer.Inputs}] with {pool.Experts.Count} experts of rank {rank} makes a tensor of {largest} values; expected at most {Array.MaxLength}. Choose lower ranks, or keep the layer.");
        }

        // All experts' singular vectors stay until the layer is written; a dense expert's delta is formed again then.
        long results = (pool.Experts.Count + 1L) * rank * ((long)layer.Outputs + layer.Inputs) * sizeof(float);
        long each = pool.Experts.Max(expert => expert.WorkingBytes(layer, rank));
        long needed = results + Math.Max(each, _options.ExpertRank is null ? weight : 0);
        return needed > _options.MaxMemory
            ? throw new SmileException(
                $"MaxMemory (--max-memory) is {_options.MaxMemory} bytes; one expert of {layer.Name} [{layer.Outputs}, {layer.Inputs}] takes about {needed}.")
            : (int)Math.Clamp(((_options.MaxMemory ?? AmpleMemory) - results) / Math.Max(each, 1), 1, threads);
    }

    /// <summary>The singular triplets to compute of a layer's deltas, and those that the router takes.</summary>
    private (int Rank, int RouterRank) Ranks(LinearLayerInfo layer)
    {
        int smaller = Math.Min(layer.Outputs, layer.Inputs);
        int routerRank = Math.Min(_options.RouterRank, smaller);
        return (Math.Max(Math.Min(_options.ExpertRank ?? 0, smaller), routerRank), routerRank);
    }

    private LayerFactors? FactorizeExpert(Expert expert, ModelPool pool, LinearLayerInfo layer, WorkerPool threads, SharedPart shared)
    {
        (int rank, int routerRank) = Ranks(layer);
        using WeightDelta delta = expert.ReadDelta(pool.Pretrained, layer, threads, rank);
        if (delta.Magnitude == 0)
        {
            return null;
        }

        if (delta.Magnitude > Unchanged)
        {
            shared.Begin();
        }

        return new LayerFactors(delta.Factorize(rank, FollowsFusionBench, threads), delta.Magnitude, _options.ExpertRank, routerRank);
    }

    private void Write(
        ModelPool pool, LinearLayerInfo layer, LayerFactors?[] factors, float[]?[] biases, bool routed, FusedTensorWriter output)
    {
        var names = new RoutedLayerNames(layer.Name);
        if (routed)
        {
            int routerRank = Math.Min(_options.RouterRank, Math.Min(layer.Outputs, layer.Inputs));
            using Matrix gate = Gate(layer, factors, routerRank);
            output.Write(names.Gate, [gate.Rows, gate.Columns], gate.Span);
        }

        for (int e = 0; e < factors.Length; e++)
        {
            if (factors[e] is { } expert)
            {
                if (_options.ExpertRank is null)
                {
                    using WeightDelta delta = pool.Experts[e].ReadDelta(pool.Pretrained, layer, WorkerPool.Caller);
                    output.Write(names.DenseWeight(e), [layer.Outputs, layer.Inputs], delta.ToMatrix().Span);
                }
                else
                {
                    using Matrix u = expert.U();
                    using Matrix svh = expert.Svh();
                    output.Write(names.U(e), [u.Rows, u.Columns], u.Span);
                    output.Write(names.Svh(e), [svh.Rows, svh.Columns], svh.Span);
                }
            }
            else if (FollowsFusionBench)
            {
                WriteZeroExpert(names, e, layer, output);
            }

            if (biases[e] is { } bias)
            {
                output.Write(names.Bias(e), [layer.Outputs], bias);
            }
        }
    }

    /// <summary>Writes what all experts of an upscaled layer share.</summary>
    private static void WriteSharedWeight(ModelPool pool, LinearLayerInfo layer, FusedTensorWriter output)
    {
        var names = new RoutedLayerNames(layer.Name);

        // A tied layer's weight is the table, which is counted where it is.
        output.Copy(pool.Pretrained, layer.WeightName, names.SharedWeight, isCounted: !layer.IsTied);
        if (layer.HasBias)
        {
            output.Copy(pool.Pretrained, $"{layer.Name}.bias", names.SharedBias);
        }
    }

    /// <summary>FusionBench's layout has every expert's tensors, also those of one that left the weight alone.</summary>
    private void WriteZeroExpert(RoutedLayerNames names, int expert, LinearLayerInfo layer, FusedTensorWriter output)
    {
        if (_options.ExpertRank is not { } rank)
        {
            output.Write(names.DenseWeight(expert), [layer.Outputs, layer.Inputs], new float[(long)layer.Outputs * layer.Inputs]);
            return;
        }

        rank = Math.Min(rank, Math.Min(layer.Outputs, layer.Inputs));
        output.Write(names.U(expert), [layer.Outputs, rank], new float[(long)layer.Outputs * rank]);
        output.Write(names.Svh(expert), [rank, layer.Inputs], new float[(long)rank * layer.Inputs]);
    }

    /// <summary>Stacks the experts' router rows. Rows beyond an expert's rank are zero: they add nothing to its logit.</summary>
    private Matrix Gate(LinearLayerInfo layer, LayerFactors?[] factors, int routerRank)
    {
        var gate = new Matrix(factors.Length * routerRank, layer.Inputs);
        for (int e = 0; e < factors.Length; e++)
        {
            int first = e * routerRank;
            if (factors[e] is { } expert)
            {
                expert.CopyRouterRows(gate, first);
            }
            else if (FollowsFusionBench)
            {
                // LAPACK's right singular vectors of a zero matrix are the unit vectors.
                for (int i = 0; i < routerRank; i++)
                {
                    gate.Row(first + i)[i] = 1;
                }
            }
        }

        return gate;
    }

    /// <summary>Writes everything that is not part of an upscaled layer.</summary>
    private void WriteShared(
        ModelPool pool, NetworkManifest manifest, Predicate<string> isKept, FusedTensorWriter output, CancellationToken cancellationToken)
    {
        // Where a tied layer's own name holds a weight after all, it counts for nothing.
        HashSet<string> left = [.. Names(manifest.LinearLayers.Where(layer => layer.IsTied || !isKept(layer.Name)))];
        HashSet<string> kept = [.. Names(manifest.LinearLayers.Where(layer => isKept(layer.Name)))];
        HashSet<string> parents = [.. pool.Pretrained.Tensors.Keys.Select(Module).SelectMany(Ancestors)];
        using ITensorSource average = new SimpleAverage().Merge(pool, manifest, _options.Threads, cancellationToken);
        foreach (TensorInfo tensor in manifest.Source.Tensors.Values.Where(tensor => !left.Contains(tensor.Name)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool averaged = tensor.Type.IsFloatingPoint() && !kept.Contains(tensor.Name) && !OwnHeads.IsOwn(tensor.Name) && _options.Shared switch
            {
                SharedParameters.Average => true,
                SharedParameters.AverageLeaves => !parents.Contains(Module(tensor.Name)),
                _ => false,
            };
            output.Copy(averaged ? average : manifest.Source, tensor.Name, tensor.Name);
            if (averaged)
            {
                // The table moves away from the layer that is tied to it and stays: they part.
                foreach (LinearLayerInfo layer in manifest.LinearLayers.Where(l => l.IsTied && l.WeightName == tensor.Name && isKept(l.Name)))
                {
                    output.Copy(pool.Pretrained, tensor.Name, $"{layer.Name}.weight");
                }
            }
        }
    }

    /// <summary>The tensors that layers have under their own names.</summary>
    private static IEnumerable<string> Names(IEnumerable<LinearLayerInfo> layers)
        => layers.SelectMany(layer => new[] { $"{layer.Name}.weight", $"{layer.Name}.bias" });

    /// <summary>Every tensor that may be written, with its largest shape: what room the files' headers need.</summary>
    private IEnumerable<TensorInfo> LargestOutput(ModelPool pool, NetworkManifest manifest)
    {
        foreach (LinearLayerInfo layer in manifest.LinearLayers)
        {
            var names = new RoutedLayerNames(layer.Name);
            long rank = Math.Min(_options.ExpertRank ?? int.MaxValue, Math.Min(layer.Outputs, layer.Inputs));
            yield return new TensorInfo(names.SharedWeight, TensorType.F32, [layer.Outputs, layer.Inputs]);
            if (layer.IsTied)
            {
                yield return new TensorInfo($"{layer.Name}.weight", TensorType.F32, [layer.Outputs, layer.Inputs]);
            }

            yield return new TensorInfo(names.SharedBias, TensorType.F32, [layer.Outputs]);
            yield return new TensorInfo(names.Gate, TensorType.F32, [(long)pool.Experts.Count * _options.RouterRank, layer.Inputs]);
            for (int e = 0; e < pool.Experts.Count; e++)
            {
                yield return new TensorInfo(names.U(e), TensorType.F32, [layer.Outputs, rank]);
                yield return new TensorInfo(names.Svh(e), TensorType.F32, [rank, layer.Inputs]);
                yield return new TensorInfo(names.Bias(e), TensorType.F32, [layer.Outputs]);
            }
        }

        foreach (TensorInfo tensor in manifest.Source.Tensors.Values)
        {
            yield return tensor with { Type = tensor.Type.IsFloatingPoint() ? TensorType.F32 : tensor.Type };
        }
    }

    private ModelConfig FusedConfig(ModelPool pool, NetworkManifest manifest)
    {
        ModelConfig config = manifest.Config;
        var changes = new Dictionary<string, JsonNode?>
        {
            ["model_type"] = Architectures.FusedPrefix + config.ModelType,
            ["num_experts_per_tok"] = _options.ExpertsPerToken,
            ["rank_of_router"] = _options.RouterRank,
            ["rank_of_expert"] = _options.ExpertRank ?? -1,
            ["num_local_experts"] = pool.Experts.Count,
            ["expert_names"] = new JsonArray([.. pool.Experts.Select(expert => JsonValue.Create(expert.Name))]),
        };
        if (_options.Precision != StoredPrecision.Keep)
        {
            changes["torch_dtype"] = _options.Precision.TorchName();
        }

        return config.With(changes);
    }

    /// <summary>The module that holds a parameter.</summary>
    private static string Module(string parameter) => parameter[..Math.Max(0, parameter.LastIndexOf('.'))];

    /// <summary>The modules that a module is part of, itself not included.</summary>
    private static IEnumerable<string> Ancestors(string module)
    {
        while (module.Length > 0)
        {
            module = Module(module);
            yield return module;
        }
    }

    private readonly struct FactorizeExperts(
        SmileFusion fusion,
        ModelPool pool,
        LinearLayerInfo layer,
        WorkerPool threads,
        SharedPart shared,
        LayerFactors?[] factors,
        CancellationToken cancellationToken)
        : IParallelWork
    {
        public void Execute(int index)
        {
            cancellationToken.ThrowIfCancellationRequested();
            factors[index] = fusion.FactorizeExpert(pool.Experts[index], pool, layer, threads, shared);
        }
    }

    /// <summary>The writing of a layer's shared weight: begun as soon as it is known that an expert changed it, so that the disk has work early.</summary>
    private sealed class SharedPart(Action write, BackgroundWriting writing)
    {
        private int _begun;

        /// <summary>Begins to write beside other work, if that is possible and was not done yet.</summary>
        public void Begin()
        {
            if (writing.IsAside && Interlocked.Exchange(ref _begun, 1) == 0)
            {
                writing.Append(write);
            }
        }

        /// <summary>Writes what is not being written already.</summary>
        public void Ensure()
        {
            if (_begun == 0)
            {
                write();
            }
        }
    }
}

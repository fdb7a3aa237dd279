using System.Globalization;
using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>
/// A base model with a LoRA adapter merged into it, computed as it is read: the parameters that the adapter changes in float32, the
/// others as the base stores them. Safe to read from several threads at once.
/// </summary>
internal sealed class AdaptedTensors : ITensorSource
{
    private readonly PeftAdapter _adapter;
    private readonly ITensorSource _pretrained;
    private readonly Dictionary<string, LoraModule> _weights = new(StringComparer.Ordinal);
    private readonly Dictionary<string, LoraModule> _biases = new(StringComparer.Ordinal);

    // Weights are read from front to back, so the factors wanted next are nearly always the last ones.
    private volatile Loaded? _last;

    private AdaptedTensors(PeftAdapter adapter, ITensorSource pretrained)
    {
        _adapter = adapter;
        _pretrained = pretrained;
        foreach (LoraModule module in adapter.Modules.Values)
        {
            _weights.Add($"{module.Name}.weight", module);
            if (module.Bias is not null)
            {
                _biases.Add($"{module.Name}.bias", module);
            }
        }

        var tensors = pretrained.Tensors.ToDictionary(
            pair => pair.Key,
            pair => IsChanged(pair.Key) ? pair.Value with { Type = TensorType.F32 } : pair.Value,
            StringComparer.Ordinal);
        foreach ((string name, TensorInfo stored) in adapter.Replacements)
        {
            // The base may lack a head that was trained with the adapter, or have one of another shape.
            ReplacesHead |= !tensors.TryGetValue(name, out TensorInfo? tensor) || !tensor.Shape.SequenceEqual(stored.Shape);
            tensors[name] = new TensorInfo(name, TensorType.F32, stored.Shape);
        }

        Tensors = tensors;
    }

    public string Location => _adapter.Location;

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Gets a value indicating whether the adapter has a head that the base lacks, or has in another shape.</summary>
    public bool ReplacesHead { get; }

    /// <summary>Puts an adapter on its base, after checking that every tensor of it has its place there. Whole heads may be its own.</summary>
    /// <param name="adapter">The adapter; it must outlive the result.</param>
    /// <param name="pretrained">The base's parameters; they must outlive the result.</param>
    /// <param name="manifest">The base's layers.</param>
    /// <param name="owner">What messages call the adapter.</param>
    /// <exception cref="SmileException">A tensor belongs to nothing in the base, or is not of the shape that the base asks for.</exception>
    public static AdaptedTensors Merge(PeftAdapter adapter, ITensorSource pretrained, NetworkManifest manifest, string owner)
    {
        var layers = manifest.LinearLayers.ToDictionary(layer => layer.Name);
        foreach (LinearLayerInfo tied in manifest.LinearLayers.Where(layer => layer.IsTied))
        {
            CheckLeftAlone(adapter, tied, owner);
        }

        foreach (LoraModule module in adapter.Modules.Values)
        {
            Check(adapter, module, pretrained, manifest, layers, owner);
        }

        foreach ((string name, TensorInfo found) in adapter.Replacements.Where(replacement => manifest.Names.FindHead(replacement.Key) is null))
        {
            if (!pretrained.Tensors.TryGetValue(name, out TensorInfo? expected) || !expected.Type.IsFloatingPoint())
            {
                throw Misplaced(owner, found, pretrained, $"parameter {name}");
            }

            if (!found.Shape.SequenceEqual(expected.Shape))
            {
                throw Misshapen(owner, found, expected.Shape, name, pretrained);
            }
        }

        CheckNothingMissing(adapter, pretrained, manifest, owner);
        return new AdaptedTensors(adapter, pretrained);
    }

    /// <summary>Gets what the adapter adds to a linear layer's weight; of rank 0 where it leaves the layer alone.</summary>
    /// <exception cref="SmileException">A factor holds a NaN or an infinity.</exception>
    public WeightDelta ReadDelta(LinearLayerInfo layer, WorkerPool pool, int? rank)
    {
        if (LowRank(layer) is null)
        {
            return WeightDelta.Between(this, _pretrained, layer, pool, rank);
        }

        return new LowRankWeightDelta(_weights.TryGetValue(layer.WeightName, out LoraModule? module)
            ? Load(module)
            : new LowRankFactors([], [], layer.Outputs, 0, layer.Inputs, 0));
    }

    /// <summary>Gets the rank of what the adapter adds to a linear layer's weight; null where it replaces the weight.</summary>
    public int? LowRank(LinearLayerInfo layer)
        => _adapter.Replacements.ContainsKey(layer.WeightName) ? null : _weights.GetValueOrDefault(layer.WeightName)?.Rank ?? 0;

    public void ReadFloats(string name, long start, Span<float> destination)
    {
        if (_adapter.Replacements.TryGetValue(name, out TensorInfo? stored))
        {
            _adapter.Tensors.ReadFloats(stored.Name, start, destination);
        }
        else
        {
            _pretrained.ReadFloats(name, start, destination);
        }

        AddChange(name, start, destination);
    }

    /// <summary>Tells whether the adapter brings a parameter as a whole.</summary>
    public bool Replaces(string name) => _adapter.Replacements.ContainsKey(name);

    /// <summary>Adds what the adapter's factors and biases add to consecutive elements of a parameter.</summary>
    public void AddChange(string name, long start, Span<float> destination)
    {
        if (_weights.TryGetValue(name, out LoraModule? module))
        {
            Factors(module).AddTo(start, destination);
        }
        else if (_biases.TryGetValue(name, out module))
        {
            var bias = new float[destination.Length];
            _adapter.Tensors.ReadFloats(module.Bias!.Name, start, bias);
            for (int i = 0; i < bias.Length; i++)
            {
                destination[i] += (float)(module.Scale * bias[i]);
            }
        }
    }

    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        if (!IsChanged(name))
        {
            _pretrained.ReadBytes(name, start, destination);
        }
        else
        {
            this.ReadComputedBytes(name, start, destination);
        }
    }

    /// <summary>Does nothing: the adapter and the base belong to whoever opened them.</summary>
    public void Dispose()
    {
    }

    private static void Check(
        PeftAdapter adapter,
        LoraModule module,
        ITensorSource pretrained,
        NetworkManifest manifest,
        Dictionary<string, LinearLayerInfo> layers,
        string owner)
    {
        string weight = $"{module.Name}.weight";
        if (module.IsEmbedding)
        {
            if (!manifest.Parameters.Contains(weight) || pretrained.GetTensor(weight).Shape is not [var tokens, var features])
            {
                throw Misplaced(owner, module.A, pretrained, $"embedding {module.Name}");
            }

            RequireShape(owner, module.A, [module.Rank, tokens], weight, pretrained);
            RequireShape(owner, module.B, [features, module.Rank], weight, pretrained);
        }
        else
        {
            LinearLayerInfo layer = layers.GetValueOrDefault(module.Name)
                ?? throw Misplaced(owner, module.A, pretrained, $"linear layer {module.Name}");
            RequireShape(owner, module.A, [module.Rank, layer.Inputs], weight, pretrained);
            RequireShape(owner, module.B, [layer.Outputs, module.Rank], weight, pretrained);
            if (module.Bias is { } bias)
            {
                string name = $"{module.Name}.bias";
                if (!layer.HasBias)
                {
                    throw Misplaced(owner, bias, pretrained, $"parameter {name}");
                }

                RequireShape(owner, bias, [layer.Outputs], name, pretrained);
            }
        }

        if (!adapter.Config.Targets(module.Name))
        {
            throw new SmileException(
                $"{owner}: found tensor {ErrorText.Clip(module.A.Name)}; expected only modules that target_modules in {adapter.Config.Location} covers.");
        }
    }

    /// <summary>Refuses an adapter of a weight that two modules share: programs differ in whether the other one follows.</summary>
    private static void CheckLeftAlone(PeftAdapter adapter, LinearLayerInfo tied, string owner)
    {
        string table = tied.WeightName[..^".weight".Length];
        foreach (string module in new[] { tied.Name, table })
        {
            if ((adapter.Modules.GetValueOrDefault(module)?.A ?? adapter.Replacements.GetValueOrDefault($"{module}.weight")) is { } found)
            {
                throw new SmileException(
                    $"{owner}: found tensor {ErrorText.Clip(found.Name)}; expected none of {tied.Name} and {table}, which share one weight in this model. "
                    + "Merge the adapter into its base and use the result as a full model.");
            }
        }
    }

    /// <summary>Refuses an adapter that lacks part of what its configuration says was trained.</summary>
    private static void CheckNothingMissing(PeftAdapter adapter, ITensorSource pretrained, NetworkManifest manifest, string owner)
    {
        foreach (string name in pretrained.Tensors.Values.Where(tensor => tensor.Type.IsFloatingPoint()).Select(tensor => tensor.Name))
        {
            if (!adapter.Replacements.ContainsKey(name) && IsSaved(adapter.Config, name))
            {
                throw new SmileException(
                    $"{owner}: found no tensor for {name}; expected one, since modules_to_save in {adapter.Config.Location} covers it.");
            }
        }

        if (!adapter.Config.TargetsAreComplete)
        {
            return;
        }

        foreach (LinearLayerInfo layer in manifest.LinearLayers.Where(layer => !layer.IsTied))
        {
            if (!adapter.Modules.ContainsKey(layer.Name) && adapter.Config.Targets(layer.Name) && !IsSaved(adapter.Config, $"{layer.Name}.weight"))
            {
                throw new SmileException(
                    $"{owner}: found no lora_A and lora_B for {layer.Name}; expected them, since target_modules in {adapter.Config.Location} covers it.");
            }
        }
    }

    /// <summary>Tells whether a parameter is within a module that <c>modules_to_save</c> names by the end of its name.</summary>
    private static bool IsSaved(LoraConfig config, string parameter)
    {
        for (int dot = parameter.LastIndexOf('.'); dot > 0; dot = parameter.LastIndexOf('.', dot - 1))
        {
            string module = parameter[..dot];
            if (config.ModulesToSave.Any(saved => module.EndsWith(saved, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }

    private static void RequireShape(string owner, TensorInfo found, long[] expected, string parameter, ITensorSource pretrained)
    {
        if (!found.Shape.SequenceEqual(expected))
        {
            throw Misshapen(owner, found, expected, parameter, pretrained);
        }
    }

    private static SmileException Misshapen(string owner, TensorInfo found, IEnumerable<long> expected, string parameter, ITensorSource pretrained)
        => new($"{owner}: tensor {ErrorText.Clip(found.Name)} is {found.Description}; expected [{string.Join(", ", expected)}], to fit {parameter}, "
            + $"{pretrained.GetTensor(parameter).Description}, of {pretrained.Location}. Is it the adapter's base?");

    private static SmileException Misplaced(string owner, TensorInfo found, ITensorSource pretrained, string missing)
        => new($"{owner}: found tensor {ErrorText.Clip(found.Name)}, {found.Description}; expected only what {pretrained.Location} has a place for: "
            + $"it has no {missing}. Is it the adapter's base?");

    private bool IsChanged(string name) => _adapter.Replacements.ContainsKey(name) || _weights.ContainsKey(name) || _biases.ContainsKey(name);

    private LowRankFactors Factors(LoraModule module)
    {
        Loaded? last = _last;
        if (last?.Module != module)
        {
            _last = last = new Loaded(module, Load(module));
        }

        return last.Factors;
    }

    private LowRankFactors Load(LoraModule module)
    {
        float[] a = ReadFinite(module.A);
        float[] b = ReadFinite(module.B);
        int columns = (int)module.A.Shape[1];
        int rows = (int)module.B.Shape[0];
        return module.IsEmbedding
            ? new LowRankFactors(Transpose(a, module.Rank, columns), Transpose(b, rows, module.Rank), columns, module.Rank, rows, module.Scale)
            : new LowRankFactors(b, a, rows, module.Rank, columns, module.Scale);
    }

    private float[] ReadFinite(TensorInfo tensor)
    {
        float[] values = _adapter.Tensors.ReadFloats(tensor.Name);
        int found = Array.FindIndex(values, value => !float.IsFinite(value));
        return found < 0
            ? values
            : throw new SmileException(string.Create(
                CultureInfo.InvariantCulture, $"{Location}: tensor {tensor.Name} holds {values[found]} at element {found}; expected finite values."));
    }

    private static float[] Transpose(float[] values, int rows, int columns)
    {
        var transpose = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            for (int column = 0; column < columns; column++)
            {
                transpose[(column * rows) + row] = values[(row * columns) + column];
            }
        }

        return transpose;
    }

    private sealed record Loaded(LoraModule Module, LowRankFactors Factors);
}

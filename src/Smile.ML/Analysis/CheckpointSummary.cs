using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using Smile.ML.Routing;

namespace Smile.ML.Analysis;

/// <summary>What a checkpoint holds, told from its configuration and its tensors' names and shapes.</summary>
public sealed record CheckpointSummary
{
    /// <summary>Gets the config's <c>model_type</c>; null for a lone safetensors file.</summary>
    public string? ModelType { get; init; }

    /// <summary>Gets the number of tensors.</summary>
    public required int Tensors { get; init; }

    /// <summary>Gets the number of tensors by element type.</summary>
    public required IReadOnlyDictionary<string, int> Types { get; init; }

    /// <summary>Gets the number of floating-point values.</summary>
    public required long Parameters { get; init; }

    /// <summary>Gets the bytes that all tensors take.</summary>
    public required long Bytes { get; init; }

    /// <summary>Gets the number of experts; 0 where the model is not a fused one.</summary>
    public int Experts { get; init; }

    /// <summary>Gets the experts' names, where the model tells them.</summary>
    public IReadOnlyList<string> ExpertNames { get; init; } = [];

    /// <summary>Gets the experts per token of a fused model.</summary>
    public int ExpertsPerToken { get; init; }

    /// <summary>Gets the expert rank of a fused model; null for dense experts.</summary>
    public int? ExpertRank { get; init; }

    /// <summary>Gets the router rank of a fused model.</summary>
    public int RouterRank { get; init; }

    /// <summary>Gets the heads that are experts' own in a fused model: by the head's module, the experts that have one.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> TaskHeads { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Gets the linear layers, where the architecture is a known one.</summary>
    public IReadOnlyList<LayerSummary> Layers { get; init; } = [];

    /// <summary>Gets the modules that an adapter changes by low-rank factors; empty for anything but an adapter.</summary>
    public IReadOnlyList<AdaptedModuleSummary> AdaptedModules { get; init; } = [];

    /// <summary>Gets the parameters of the base that an adapter replaces as a whole, by their names there.</summary>
    public IReadOnlyList<string> ReplacedParameters { get; init; } = [];

    /// <summary>Reads a summary.</summary>
    /// <param name="path">A Hugging Face folder, a fused folder, a PEFT LoRA adapter's folder, or a safetensors file.</param>
    /// <returns>The summary.</returns>
    /// <exception cref="SmileException">There is nothing readable there.</exception>
    public static CheckpointSummary Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (File.Exists(path))
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return Summarise(file);
        }

        if (PeftAdapter.IsAdapter(path))
        {
            using PeftAdapter adapter = PeftAdapter.Open(path);
            return Summarise(adapter.Tensors) with
            {
                AdaptedModules = [.. adapter.Modules.Values
                    .OrderBy(module => module.Name, StringComparer.Ordinal)
                    .Select(module => new AdaptedModuleSummary(module.Name, module.B.Shape[0], module.A.Shape[1], module.Rank, module.Scale))],
                ReplacedParameters = [.. adapter.Replacements.Keys.Order(StringComparer.Ordinal)],
            };
        }

        using HuggingFaceFolder folder = HuggingFaceFolder.Open(path);
        CheckpointSummary summary = Summarise(folder) with { ModelType = folder.Config.ModelType };
        if (!Architectures.IsFused(folder.Config))
        {
            return summary with
            {
                Layers = [.. NetworkManifest.Read(folder.Config, folder).LinearLayers.Select(layer => new LayerSummary(layer.Name, layer.Outputs, layer.Inputs, null))],
            };
        }

        int experts = Routers.ExpertCount(folder.Config);
        int expertRank = folder.Config.GetInt32("rank_of_expert");
        return summary with
        {
            Experts = experts,
            ExpertNames = folder.Config.GetStringList("expert_names", []),
            ExpertsPerToken = folder.Config.GetInt32("num_experts_per_tok"),
            ExpertRank = expertRank > 0 ? expertRank : null,
            RouterRank = folder.Config.GetInt32("rank_of_router"),
            TaskHeads = OwnHeads.Read(folder.Config).Modules,
            Layers = [.. FusedLayers(folder, experts)],
        };
    }

    /// <summary>The layers of a fused model, those that were kept included: what the architecture says of the pretrained weights under their plain names.</summary>
    private static IEnumerable<LayerSummary> FusedLayers(HuggingFaceFolder folder, int experts)
    {
        string shared = new RoutedLayerNames("").SharedLayer;
        HuggingFaceFolder plain = folder.Rename(name => name.Replace(shared + ".", ".", StringComparison.Ordinal));
        foreach (LinearLayerInfo layer in NetworkManifest.Read(folder.Config, plain).LinearLayers)
        {
            var names = new RoutedLayerNames(layer.Name);
            bool isRouted = folder.Tensors.ContainsKey(names.SharedWeight);
            yield return new LayerSummary(
                layer.Name, layer.Outputs, layer.Inputs, isRouted ? [.. Enumerable.Range(0, experts).Select(e => Rank(folder, names, e))] : null);
        }
    }

    private static long? Rank(HuggingFaceFolder folder, RoutedLayerNames names, int expert)
    {
        if (folder.Tensors.ContainsKey(names.DenseWeight(expert)))
        {
            return null;
        }

        if (!folder.Tensors.TryGetValue(names.U(expert), out TensorInfo? u))
        {
            return 0;
        }

        return u.Shape is [_, var rank]
            ? rank
            : throw new SmileException($"{folder.Location}: {u.Name} is [{string.Join(", ", u.Shape)}]; expected [outputs, rank].");
    }

    private static CheckpointSummary Summarise(ITensorSource source) => new()
    {
        Tensors = source.Tensors.Count,
        Types = source.Tensors.Values.GroupBy(tensor => tensor.Type).OrderBy(group => group.Key).ToDictionary(group => group.Key.ToString(), group => group.Count()),
        Parameters = source.CountParameters(),
        Bytes = source.Tensors.Values.Sum(tensor => tensor.ByteLength),
    };
}

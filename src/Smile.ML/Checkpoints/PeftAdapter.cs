namespace Smile.ML.Checkpoints;

/// <summary>
/// A LoRA adapter in PEFT's layout: a folder with <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>. It holds the factors
/// of some modules' weight changes and, for what was trained as a whole (<c>modules_to_save</c>, biases), the new values. Nothing is
/// known here of the base model. Safe to read from several threads at once.
/// </summary>
internal sealed class PeftAdapter : IDisposable
{
    /// <summary>The names of the files that make up an adapter; the folder may hold others.</summary>
    internal static readonly IReadOnlyList<string> FileNames = [LoraConfig.FileName, WeightsFileName];

    private const string WeightsFileName = "adapter_model.safetensors";
    private const string PickledFileName = "adapter_model.bin";
    private const string Prefix = "base_model.model.";

    private readonly SafetensorsFile _file;

    private PeftAdapter(
        string folder, LoraConfig config, SafetensorsFile file, IReadOnlyDictionary<string, LoraModule> modules, IReadOnlyDictionary<string, TensorInfo> replacements)
    {
        Location = folder;
        Config = config;
        _file = file;
        Modules = modules;
        Replacements = replacements;
    }

    /// <summary>Gets the folder's path.</summary>
    public string Location { get; }

    /// <summary>Gets the content of <c>adapter_config.json</c>.</summary>
    public LoraConfig Config { get; }

    /// <summary>Gets the tensors as stored.</summary>
    public ITensorSource Tensors => _file;

    /// <summary>Gets the adapted modules by the names that they have in the base model.</summary>
    public IReadOnlyDictionary<string, LoraModule> Modules { get; }

    /// <summary>Gets the stored tensors that replace parameters, by those parameters' names in the base model.</summary>
    public IReadOnlyDictionary<string, TensorInfo> Replacements { get; }

    /// <summary>Tells whether a folder is an adapter's.</summary>
    public static bool IsAdapter(string folder) => File.Exists(Path.Combine(folder, LoraConfig.FileName));

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The folder's path.</param>
    /// <returns>The open adapter.</returns>
    /// <exception cref="SmileException">
    /// A file is missing, not readable or not valid, the adapter is of an unsupported kind, a factor is missing or its shape is not
    /// what the configuration's rank asks for, or whole weights are in the folder as well.
    /// </exception>
    public static PeftAdapter Open(string folder)
    {
        ModelFolder files = ModelFolder.Open(folder);
        foreach (string whole in new[] { HuggingFaceFolder.SingleFileName, HuggingFaceFolder.IndexFileName })
        {
            if (File.Exists(Path.Combine(folder, whole)))
            {
                throw new SmileException($"{folder}: found both {LoraConfig.FileName} and {whole}; expected an adapter or a whole model.");
            }
        }

        LoraConfig config = LoraConfig.Load(files.PathOf(LoraConfig.FileName, folder));
        string path = files.PathOf(WeightsFileName, folder);
        if (!File.Exists(path) && File.Exists(Path.Combine(folder, PickledFileName)))
        {
            throw new SmileException($"{folder}: found {PickledFileName}; expected {WeightsFileName}. Only safetensors is read; nothing is unpickled.");
        }

        SafetensorsFile file = SafetensorsFile.Open(path);
        try
        {
            return Read(folder, config, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Sees modules and parameters under other names. The file is the same: disposing either object closes it for both.</summary>
    /// <param name="rename">Gets the name that a module or parameter has in the base model from its present one.</param>
    /// <exception cref="SmileException">Two get the same name.</exception>
    public PeftAdapter Rename(Func<string, string> rename)
    {
        var modules = new Dictionary<string, LoraModule>(StringComparer.Ordinal);
        foreach (LoraModule module in Modules.Values)
        {
            Add(modules, rename(module.Name), module with { Name = rename(module.Name) });
        }

        var replacements = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach ((string parameter, TensorInfo tensor) in Replacements)
        {
            Add(replacements, rename(parameter), tensor);
        }

        return new PeftAdapter(Location, Config, _file, modules, replacements);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Add<T>(Dictionary<string, T> byName, string name, T value)
    {
        if (!byName.TryAdd(name, value))
        {
            throw new SmileException($"{_file.Location}: found two changes of {ErrorText.Quote(name)} under different names; expected one adapter.");
        }
    }

    private static PeftAdapter Read(string folder, LoraConfig config, SafetensorsFile file)
    {
        var parts = new Dictionary<(string Module, string Part), TensorInfo>();
        var replacements = new Dictionary<string, TensorInfo>(StringComparer.Ordinal);
        foreach (TensorInfo tensor in file.Tensors.Values)
        {
            file.RequireFloatingPoint(tensor);
            (string module, string? part) = Split(file, tensor.Name);
            if (part is null ? !replacements.TryAdd(module, tensor) : !parts.TryAdd((module, part), tensor))
            {
                throw new SmileException($"{file.Location}: tensor {ErrorText.Quote(tensor.Name)}: a second one for {ErrorText.Clip(module)}; expected one adapter.");
            }
        }

        var modules = new Dictionary<string, LoraModule>(StringComparer.Ordinal);
        foreach (string module in parts.Keys.Select(key => key.Module).Distinct())
        {
            modules.Add(module, Pair(module, config, file, parts));
        }

        return modules.Count + replacements.Count > 0
            ? new PeftAdapter(folder, config, file, modules, replacements)
            : throw new SmileException($"{file.Location}: holds no tensors; expected an adapter's.");
    }

    /// <summary>
    /// Takes a stored name apart: into a module and one of its factors, e.g. <c>lora_A.weight</c>, or into a parameter and null. The
    /// adapter's own name, which a state saved without PEFT's help still holds, is left out, as are the names of PEFT's wrappers.
    /// </summary>
    private static (string Name, string? Part) Split(SafetensorsFile file, string stored)
    {
        if (!stored.StartsWith(Prefix, StringComparison.Ordinal))
        {
            throw new SmileException($"{file.Location}: found tensor {ErrorText.Quote(stored)}; expected names that begin with '{Prefix}'.");
        }

        List<string> words = [.. stored[Prefix.Length..].Split('.')];
        words.RemoveAll(word => word == "base_layer");
        int wrapper = words.IndexOf("modules_to_save");
        if (wrapper >= 0)
        {
            words.RemoveRange(wrapper, Math.Min(2, words.Count - wrapper));
        }

        int factor = words.FindIndex(word => word.StartsWith("lora_", StringComparison.Ordinal));
        if (factor < 0)
        {
            return (string.Join('.', words), null);
        }

        string? part = (words[factor], words[(factor + 1)..]) switch
        {
            ("lora_A" or "lora_B", [.., "weight"] rest) when rest.Count <= 2 => words[factor],
            ("lora_B", [.., "bias"] rest) when rest.Count <= 2 => "lora_B.bias",
            ("lora_embedding_A" or "lora_embedding_B", { Count: <= 1 }) => words[factor],
            _ => null,
        };
        return part is not null
            ? (string.Join('.', words[..factor]), part)
            : throw new SmileException(
                $"{file.Location}: tensor {ErrorText.Quote(stored)} is of a kind that is not supported; expected lora_A and lora_B of linear layers, lora_embedding_A and lora_embedding_B of embeddings, and whole parameters.");
    }

    private static LoraModule Pair(
        string module, LoraConfig config, SafetensorsFile file, Dictionary<(string Module, string Part), TensorInfo> parts)
    {
        bool embedding = parts.ContainsKey((module, "lora_embedding_A")) || parts.ContainsKey((module, "lora_embedding_B"));
        string nameA = embedding ? "lora_embedding_A" : "lora_A";
        string nameB = embedding ? "lora_embedding_B" : "lora_B";
        if (!parts.TryGetValue((module, nameA), out TensorInfo? a) || !parts.TryGetValue((module, nameB), out TensorInfo? b))
        {
            throw new SmileException($"{file.Location}: module {ErrorText.Quote(module)} has only one of {nameA} and {nameB}; expected both.");
        }

        int rank = config.Rank(module);
        RequireMatrix(file, a, rankDimension: 0, rank, config);
        RequireMatrix(file, b, rankDimension: 1, rank, config);
        return new LoraModule(module, a, b, parts.GetValueOrDefault((module, "lora_B.bias")), rank, config.Scale(module), embedding);
    }

    private static void RequireMatrix(SafetensorsFile file, TensorInfo tensor, int rankDimension, int rank, LoraConfig config)
    {
        if (tensor.Shape.Count != 2 || tensor.Shape[rankDimension] != rank || tensor.Shape.Any(dimension => dimension is < 1 or > int.MaxValue))
        {
            string expected = rankDimension == 0 ? $"[{rank}, any]" : $"[any, {rank}]";
            throw new SmileException(
                $"{file.Location}: tensor {ErrorText.Quote(tensor.Name)}: found {tensor.Description}; expected {expected}, of the rank that {config.Location} gives.");
        }
    }
}

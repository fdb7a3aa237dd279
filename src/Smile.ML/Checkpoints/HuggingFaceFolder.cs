using System.Text.Json;
using System.Text.Unicode;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A model in Hugging Face's layout: a folder with <c>config.json</c> and either <c>model.safetensors</c> or shards with
/// <c>model.safetensors.index.json</c>. All shards are opened, and their headers checked, when the folder is; values are read as they
/// are asked for. Safe to read from several threads at once.
/// </summary>
/// <remarks>
/// The index alone says which shard holds a tensor; what else a shard may hold is left aside. Names in the index, and links, may not
/// lead out of the folder, except into the <c>blobs</c> of Hugging Face's own download cache. The first checkpoints called a norm's
/// parameters <c>LayerNorm.gamma</c> and <c>LayerNorm.beta</c>; they are given their present names, <c>weight</c> and <c>bias</c>, as
/// Hugging Face's own loading does.
/// </remarks>
public sealed class HuggingFaceFolder : ITensorSource
{
    /// <summary>The name of the only safetensors file of a folder without shards.</summary>
    internal const string SingleFileName = "model.safetensors";

    /// <summary>The name of the file that says which shard holds a tensor.</summary>
    internal const string IndexFileName = "model.safetensors.index.json";

    private const int MaxIndexLength = SafetensorsHeader.MaxLength;

    private static readonly string[] PickledFileNames = ["pytorch_model.bin", "pytorch_model.bin.index.json"];

    private readonly IReadOnlyCollection<SafetensorsFile> _shards;
    private readonly Dictionary<string, (SafetensorsFile Shard, string StoredName)> _stored;

    private HuggingFaceFolder(
        string path,
        ModelConfig config,
        IReadOnlyCollection<SafetensorsFile> shards,
        Dictionary<string, (SafetensorsFile Shard, string StoredName)> stored)
    {
        Location = path;
        Config = config;
        _shards = shards;
        _stored = stored;
        Tensors = stored.ToDictionary(
            pair => pair.Key, pair => pair.Value.Shard.Tensors[pair.Value.StoredName] with { Name = pair.Key }, StringComparer.Ordinal);
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <summary>Gets the content of <c>config.json</c>.</summary>
    public ModelConfig Config { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    /// <summary>Gets the names of the files that make up the model; the folder may hold others.</summary>
    internal IReadOnlyList<string> FileNames
    {
        get
        {
            string[] weights = [.. _shards.Select(shard => Path.GetFileName(shard.Location))];
            return weights is [SingleFileName] ? [ModelConfig.FileName, .. weights] : [ModelConfig.FileName, IndexFileName, .. weights];
        }
    }

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The folder's path.</param>
    /// <returns>The open folder.</returns>
    /// <exception cref="SmileException">
    /// The folder or one of the files is missing or not readable, both a single file and an index are there, a file is not valid, the
    /// index names a tensor that its shard lacks, or a file lies outside the folder.
    /// </exception>
    public static HuggingFaceFolder Open(string folder)
    {
        ModelFolder files = ModelFolder.Open(folder);
        string singlePath = files.PathOf(SingleFileName, folder);
        string indexPath = files.PathOf(IndexFileName, folder);
        RequireExactlyOne(folder, singlePath, indexPath);
        var config = ModelConfig.Load(files.PathOf(ModelConfig.FileName, folder));

        return File.Exists(singlePath) ? OpenSingle(folder, config, singlePath) : OpenSharded(files, config, indexPath);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The folder is disposed.</exception>
    public void ReadFloats(string name, long start, Span<float> destination)
    {
        (SafetensorsFile shard, string storedName) = Find(name);
        shard.ReadFloats(storedName, start, destination);
    }

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The folder is disposed.</exception>
    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        (SafetensorsFile shard, string storedName) = Find(name);
        shard.ReadBytes(storedName, start, destination);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile shard in _shards)
        {
            shard.Dispose();
        }
    }

    /// <summary>Gets the name that a tensor has in its file, for messages.</summary>
    internal string StoredName(string name) => Find(name).StoredName;

    /// <summary>Presents the tensors under other names. The files are the same: disposing either object closes them for both.</summary>
    /// <param name="rename">Gets a tensor's name from its present one; null leaves the tensor out.</param>
    /// <param name="config">The config of what is left, where that is another model than the whole.</param>
    /// <exception cref="SmileException">Two tensors get the same name.</exception>
    internal HuggingFaceFolder Rename(Func<string, string?> rename, ModelConfig? config = null)
    {
        var stored = new Dictionary<string, (SafetensorsFile Shard, string StoredName)>(StringComparer.Ordinal);
        foreach ((string present, (SafetensorsFile Shard, string StoredName) tensor) in _stored)
        {
            if (rename(present) is { } name && !stored.TryAdd(name, tensor))
            {
                throw new SmileException(
                    $"{Location}: tensors {ErrorText.Quote(stored[name].StoredName)} and {ErrorText.Quote(tensor.StoredName)} both stand for {ErrorText.Quote(name)}; expected one of them.");
            }
        }

        return new HuggingFaceFolder(Location, config ?? Config, _shards, stored);
    }

    /// <summary>Presents tensors of another folder beside its own. That one must stay open as long as this is read.</summary>
    internal HuggingFaceFolder With(HuggingFaceFolder other, IEnumerable<string> names)
        => new(Location, Config, _shards, new(_stored.Concat(names.Select(name => KeyValuePair.Create(name, other.Find(name)))), StringComparer.Ordinal));

    private static string PresentName(string name)
        => name.EndsWith("LayerNorm.gamma", StringComparison.Ordinal) ? name[..^"gamma".Length] + "weight"
            : name.EndsWith("LayerNorm.beta", StringComparison.Ordinal) ? name[..^"beta".Length] + "bias"
            : name;

    private static void RequireExactlyOne(string folder, string singlePath, string indexPath)
    {
        bool single = File.Exists(singlePath);
        bool sharded = File.Exists(indexPath);
        if (single && sharded)
        {
            throw new SmileException($"{folder}: found both {SingleFileName} and {IndexFileName}; expected one of them, since they may hold different weights.");
        }

        if (!single && !sharded)
        {
            string? pickled = PickledFileNames.FirstOrDefault(name => File.Exists(Path.Combine(folder, name)));
            string[] models = [.. Directory.EnumerateDirectories(folder)
                .Where(path => File.Exists(Path.Combine(path, ModelConfig.FileName)))
                .Select(path => Path.GetFileName(path))
                .Order(StringComparer.Ordinal)];
            string found = (pickled, models) switch
            {
                _ when PeftAdapter.IsAdapter(folder) => " It is an adapter; expected a whole model.",
                _ when Directory.Exists(Path.Combine(folder, ModelFolder.SnapshotsName))
                    => $" The models of a download cache are in folders of {ModelFolder.SnapshotsName}; name one of them.",
                ({ }, _) => $" There is a {pickled}, but only safetensors is read; nothing is unpickled. Convert the model to safetensors first.",
                (null, [_, ..]) => $" Its folders are models: {ErrorText.Clip(string.Join(", ", models))}; name one of them.",
                _ => "",
            };
            throw new SmileException($"{folder}: found no weights; looked for {SingleFileName} and {IndexFileName}.{found}");
        }
    }

    private static HuggingFaceFolder OpenSingle(string folder, ModelConfig config, string path)
    {
        var file = SafetensorsFile.Open(path);
        try
        {
            return new HuggingFaceFolder(folder, config, [file], file.Tensors.Keys.ToDictionary(name => name, name => (file, name), StringComparer.Ordinal))
                .Rename(PresentName);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static HuggingFaceFolder OpenSharded(ModelFolder files, ModelConfig config, string indexPath)
    {
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var stored = new Dictionary<string, (SafetensorsFile Shard, string StoredName)>(StringComparer.Ordinal);
        try
        {
            foreach ((string tensor, string fileName) in ReadWeightMap(indexPath))
            {
                if (!shards.TryGetValue(fileName, out SafetensorsFile? shard))
                {
                    shard = OpenShard(files, indexPath, fileName);
                    shards.Add(fileName, shard);
                }

                if (!shard.Tensors.ContainsKey(tensor))
                {
                    throw new SmileException(
                        $"{shard.Location}: there is no tensor {ErrorText.Quote(tensor)}, which {IndexFileName} expects in this shard.");
                }

                stored.Add(tensor, (shard, tensor));
            }

            return new HuggingFaceFolder(files.Path, config, shards.Values, stored).Rename(PresentName);
        }
        catch
        {
            foreach (SafetensorsFile shard in shards.Values)
            {
                shard.Dispose();
            }

            throw;
        }
    }

    private static SafetensorsFile OpenShard(ModelFolder files, string indexPath, string fileName)
    {
        string path = files.PathOf(fileName, indexPath);
        return File.Exists(path)
            ? SafetensorsFile.Open(path)
            : throw new SmileException($"{path}: the shard is missing; {IndexFileName} places tensors in it.");
    }

    private static List<(string Tensor, string FileName)> ReadWeightMap(string indexPath)
    {
        byte[] json = RegularFile.ReadAllBytes(indexPath, MaxIndexLength);
        if (!Utf8.IsValid(json))
        {
            throw new SmileException($"{indexPath}: is not valid UTF-8.");
        }

        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out JsonElement weightMap)
                || weightMap.ValueKind != JsonValueKind.Object)
            {
                throw new SmileException($"{indexPath}: expected an object with the object 'weight_map', from tensor names to file names.");
            }

            var entries = new List<(string, string)>();
            foreach (JsonProperty entry in weightMap.EnumerateObject())
            {
                entries.Add(entry.Value.ValueKind == JsonValueKind.String
                    ? (entry.Name, entry.Value.GetString()!)
                    : throw new SmileException(
                        $"{indexPath}: weight_map: tensor {ErrorText.Quote(entry.Name)}: found {ErrorText.Clip(entry.Value.GetRawText())}; expected a file name."));
            }

            return entries;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with an escaped half of a surrogate pair.
            throw new SmileException($"{indexPath}: is not valid JSON: {ErrorText.Clip(e.Message)}", e);
        }
    }

    private (SafetensorsFile Shard, string StoredName) Find(string name)
    {
        this.GetTensor(name);
        return _stored[name];
    }
}

using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>A pretrained model and the models fine-tuned from it. Weights stay in their files until they are asked for.</summary>
/// <remarks>
/// The models may be saved by different classes of Hugging Face's library. Experts' tensors are named as in the pretrained model, with or
/// without the backbone's prefix (<c>bert.</c>); tensors that the network never reads (heads of masked language models, rotary
/// frequencies) count as absent; and a model may lack a head that others have, or have it in another shape. Where the pretrained model is a
/// whole CLIP and the experts are vision (or text) halves, that half of it is the pretrained model; an expert of a class without the
/// projection has the pretrained one.
/// </remarks>
public sealed class ModelPool : IDisposable
{
    /// <summary>The name of the pretrained model's folder in a pool folder.</summary>
    public const string PretrainedFolder = "_pretrained_";

    private static readonly string[] NotExperts = ["data", "heads", "adapters"];

    // Of a selection, the pool whose models these are.
    private readonly ModelPool? _owner;
    private volatile bool _isDisposed;

    private ModelPool(string location, HuggingFaceFolder pretrained, IReadOnlyList<Expert> experts, ModelPool? owner = null)
        => (Location, Pretrained, Experts, _owner) = (location, pretrained, experts, owner);

    /// <summary>Gets the pool's folder, or the pretrained model's where the pool was given model by model.</summary>
    public string Location { get; }

    /// <summary>Gets the pretrained model.</summary>
    public HuggingFaceFolder Pretrained { get; }

    /// <summary>Gets the fine-tuned models, in router order.</summary>
    public IReadOnlyList<Expert> Experts { get; }

    /// <summary>
    /// Opens a folder that holds <c>_pretrained_</c> and one folder per expert, a whole checkpoint's or a PEFT LoRA adapter's, in
    /// ordinal order of their names. Folders named
    /// <c>data</c>, <c>heads</c> or <c>adapters</c>, or starting with <c>_</c> or <c>.</c>, are not experts.
    /// </summary>
    /// <param name="folder">The pool's folder.</param>
    /// <returns>The pool; dispose it to close its files.</returns>
    /// <exception cref="SmileException">A folder is missing or holds no readable checkpoint.</exception>
    public static ModelPool Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new SmileException($"{folder}: there is no such folder; expected a model pool.");
        }

        string pretrained = Path.Combine(folder, PretrainedFolder);
        if (!Directory.Exists(pretrained))
        {
            throw new SmileException($"{folder}: a model pool holds the pretrained model in a folder {PretrainedFolder}; found none. Models in other places are named one by one.");
        }

        IEnumerable<KeyValuePair<string, string>> experts = Directory.EnumerateDirectories(folder)
            .Select(path => KeyValuePair.Create(Path.GetFileName(path), path))
            .Where(expert => expert.Key[0] is not ('_' or '.') && !NotExperts.Contains(expert.Key))
            .OrderBy(expert => expert.Key, StringComparer.Ordinal);
        return Open(folder, pretrained, experts);
    }

    /// <summary>Opens a pool model by model.</summary>
    /// <param name="pretrained">The pretrained model's folder.</param>
    /// <param name="experts">The experts' names and folders, whole checkpoints' or PEFT LoRA adapters', in router order.</param>
    /// <returns>The pool; dispose it to close its files.</returns>
    /// <exception cref="SmileException">A folder is missing or holds no readable checkpoint, or a name is given twice.</exception>
    public static ModelPool Open(string pretrained, IEnumerable<KeyValuePair<string, string>> experts)
    {
        ArgumentException.ThrowIfNullOrEmpty(pretrained);
        ArgumentNullException.ThrowIfNull(experts);
        return Open(pretrained, pretrained, experts);
    }

    /// <summary>Gets a pool of some of the experts. The models stay this pool's: it must outlive the selection, which need not be disposed.</summary>
    /// <param name="names">The experts to take, in the new router order.</param>
    /// <returns>The selection.</returns>
    /// <exception cref="SmileException">The pool has no expert of a name, a name is given twice, or none is given.</exception>
    public ModelPool Select(params IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        string[] wanted = [.. names];
        if (wanted.Length == 0)
        {
            throw new SmileException($"{Location}: no expert was selected; expected at least one of {string.Join(", ", Experts.Select(expert => expert.Name))}.");
        }

        if (wanted.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } repeated)
        {
            throw new SmileException($"{Location}: expert {repeated.Key} was selected twice.");
        }

        Expert[] experts = [.. wanted.Select(name => Experts.FirstOrDefault(expert => expert.Name == name)
            ?? throw new SmileException($"{Location}: there is no expert {name}; found {string.Join(", ", Experts.Select(expert => expert.Name))}."))];
        return new ModelPool(Location, Pretrained, experts, _owner ?? this);
    }

    /// <summary>Closes the models' files; a selection leaves them to the pool that it was made from.</summary>
    public void Dispose()
    {
        if (_owner is not null)
        {
            return;
        }

        _isDisposed = true;
        Pretrained.Dispose();
        foreach (Expert expert in Experts)
        {
            expert.Dispose();
        }
    }

    /// <summary>Checks every model of the pool against the pretrained one, reading no values.</summary>
    /// <returns>The layers of the pretrained model, in which the heads that the models don't have in common are each expert's own.</returns>
    /// <exception cref="SmileException">The architecture is unsupported, or an expert doesn't fit.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    internal NetworkManifest Check()
    {
        NetworkManifest pretrained = ReadPretrained();
        OwnHeads heads = FindOwnHeads(pretrained.Names);
        foreach (Expert expert in Experts)
        {
            expert.Check(Pretrained, pretrained, heads);
        }

        return WithOwnHeads(pretrained, heads);
    }

    /// <summary>Reads what <see cref="Check"/> returns without checking the experts' other parameters.</summary>
    /// <exception cref="SmileException">The architecture is unsupported, or config and tensors don't fit together.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    internal NetworkManifest ReadManifest()
    {
        NetworkManifest pretrained = ReadPretrained();
        return WithOwnHeads(pretrained, FindOwnHeads(pretrained.Names));
    }

    /// <summary>Refuses an output folder whose replacement would take a model of the pool with it.</summary>
    /// <exception cref="SmileException">The folder is, or holds, the folder of a model of the pool.</exception>
    internal void RequireOutside(string outputFolder)
    {
        string output = ModelFolder.WithSeparator(LinkResolver.Resolve(outputFolder));
        foreach (string model in Experts.Select(expert => expert.Location).Prepend(Pretrained.Location))
        {
            if (ModelFolder.WithSeparator(LinkResolver.Resolve(model)).StartsWith(output, LinkResolver.Comparison))
            {
                throw new SmileException($"{outputFolder}: writing there would replace {model}, a model that is read; choose another output.");
            }
        }
    }

    /// <summary>Tells whether an expert has all weights of a head that the pretrained model has, in the same shapes, and no others.</summary>
    private static bool HasSameHead(IReadOnlyList<TensorInfo> pretrained, IReadOnlyList<TensorInfo> expert)
    {
        // A linear layer without its bias counts as one whose bias is 0.
        IEnumerable<TensorInfo> required = pretrained.Where(tensor => !tensor.Name.EndsWith(".bias", StringComparison.Ordinal));
        return required.All(tensor => expert.Any(own => own.Name == tensor.Name))
            && expert.All(own => pretrained.Any(tensor => tensor.Name == own.Name && tensor.Shape.SequenceEqual(own.Shape)));
    }

    private NetworkManifest ReadPretrained()
    {
        ObjectDisposedException.ThrowIf((_owner ?? this)._isDisposed, this);
        return Architectures.IsFused(Pretrained.Config)
            ? throw new SmileException($"{Pretrained.Location}: the pretrained model is itself a fused one ({Pretrained.Config.ModelType}).")
            : NetworkManifest.Read(Pretrained.Config, Pretrained);
    }

    /// <summary>Finds the heads that not all models have in one shape.</summary>
    private OwnHeads FindOwnHeads(CheckpointNames names)
    {
        ILookup<string?, TensorInfo> pretrained = Pretrained.Tensors.Values.ToLookup(tensor => names.FindHead(tensor.Name));
        ILookup<string?, TensorInfo>[] experts =
            [.. Experts.Select(expert => expert.Parameters.Tensors.Values.ToLookup(tensor => names.FindHead(tensor.Name)))];
        var modules = new Dictionary<string, IReadOnlyList<string>>();
        foreach (string head in experts.Prepend(pretrained).SelectMany(model => model.Select(group => group.Key)).OfType<string>().Distinct())
        {
            TensorInfo[] common = [.. pretrained[head]];
            if (common.Length == 0 || !experts.All(expert => HasSameHead(common, [.. expert[head]])))
            {
                modules.Add(head, [.. Experts.Where((_, e) => experts[e].Contains(head)).Select(expert => expert.Name)]);
            }
        }

        return new OwnHeads(modules);
    }

    private NetworkManifest WithOwnHeads(NetworkManifest pretrained, OwnHeads heads)
    {
        if (heads.Modules.Count == 0)
        {
            return pretrained;
        }

        var labels = new JsonObject(Experts
            .Where(expert => expert.Config is not null && heads.Experts.Contains(expert.Name))
            .Select(expert => KeyValuePair.Create(expert.Name, (JsonNode?)expert.Config!.GetLabels())));
        ModelConfig config = Pretrained.Config.With(
        [
            KeyValuePair.Create(OwnHeads.ConfigKey, (JsonNode?)heads.ToJson()),
            KeyValuePair.Create(OwnHeads.LabelsKey, (JsonNode?)labels),
        ]);
        return NetworkManifest.Read(config, new PoolTensors(Pretrained, Experts, heads));
    }

    /// <summary>Finds the part of a pretrained model that all experts are fine-tunes of; null where they are of the whole.</summary>
    private static ModelPart? FindPart(ModelConfig pretrained, IReadOnlyList<HuggingFaceFolder> experts)
        => experts.Select(expert => expert.Config.ModelType).Distinct().ToArray() is [var type]
            ? Architectures.TryFind(pretrained)?.FindPart(pretrained, type)
            : null;

    /// <summary>Gives an expert the pretrained model's names, and the parts that its class leaves out.</summary>
    private static HuggingFaceFolder Adapt(HuggingFaceFolder expert, HuggingFaceFolder pretrained, CheckpointNames names, Func<string, string> rename)
    {
        HuggingFaceFolder renamed = expert.Rename(name => names.IsUnused(name) ? null : rename(name));
        return renamed.With(
            pretrained, pretrained.Tensors.Keys.Where(name => !renamed.Tensors.ContainsKey(name) && names.IsLeftOut(name, expert.Config)));
    }

    private static ModelPool Open(string location, string pretrained, IEnumerable<KeyValuePair<string, string>> experts)
    {
        var opened = new List<IDisposable>();
        try
        {
            HuggingFaceFolder folder = HuggingFaceFolder.Open(pretrained);
            opened.Add(folder);
            var files = new List<(string Name, string Path, IDisposable Model)>();
            foreach ((string name, string path) in experts)
            {
                if (files.Find(other => other.Name == name) is { Path: { } first })
                {
                    throw new SmileException($"Two experts are named {name}: {first} and {path}.");
                }

                IDisposable model = PeftAdapter.IsAdapter(path) ? PeftAdapter.Open(path) : HuggingFaceFolder.Open(path);
                opened.Add(model);
                files.Add((name, path, model));
            }

            if (files.Count == 0)
            {
                throw new SmileException($"{location}: found no expert; expected at least one fine-tuned model beside the pretrained one.");
            }

            if (FindPart(folder.Config, [.. files.Select(file => file.Model).OfType<HuggingFaceFolder>()]) is { } part)
            {
                folder = folder.Rename(name => part.Holds(name) ? name : null, part.Config);
            }

            // An unknown architecture is refused by the check; until then its names are taken as they are.
            CheckpointNames names = Architectures.TryFind(folder.Config)?.Names ?? CheckpointNames.Uniform;
            folder = folder.Rename(name => names.IsUnused(name) ? null : name);
            Func<string, string> rename = names.NamesAsIn(folder);
            return new ModelPool(location, folder, [.. files.Select(file => file.Model is PeftAdapter adapter
                ? new AdapterExpert(file.Name, adapter.Rename(rename), folder)
                : new FullExpert(file.Name, Adapt((HuggingFaceFolder)file.Model, folder, names, rename)) as Expert)]);
        }
        catch
        {
            opened.ForEach(model => model.Dispose());
            throw;
        }
    }
}

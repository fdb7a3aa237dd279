using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML.DependencyInjection;

/// <summary>
/// A loaded model with its task heads. It counts its users: whoever serves it, and every run under way. The last one to leave frees it, so
/// a model that was replaced lives exactly as long as the run that began with it.
/// </summary>
internal class ServedModel
{
    private readonly SmileModel _model;
    private int _users = 1;

    /// <summary>Takes a model over.</summary>
    /// <exception cref="SmileException">
    /// A head doesn't take the model's embedding or has the name of a task that the network classifies itself, or the config names classes
    /// wrongly. The model stays the caller's.
    /// </exception>
    public ServedModel(SmileModel model, IReadOnlyList<TaskHead> heads)
    {
        NetworkPort embedding = model.Outputs[0];
        if (heads.FirstOrDefault(head => embedding.Shape is not [var size] || size != head.EmbeddingSize) is { } misfit)
        {
            throw new SmileException(
                $"Head {misfit.Name} takes embeddings of {misfit.EmbeddingSize} values; the model gives {embedding.Name} [batch, {string.Join(", ", embedding.Shape)}].");
        }

        ServedTask[] own =
        [
            .. from output in model.Outputs
               let classes = NetworkClassifier.FindClassNames(model.Config, output)
               where classes is not null
               select new ServedTask(NetworkClassifier.TaskOf(output.Name), output.Name, classes, Head: null),
        ];
        if (own.FirstOrDefault(task => heads.Any(head => head.Name == task.Name)) is { } repeated)
        {
            throw new SmileException(
                $"Head {repeated.Name} has the name of a task that the network classifies itself, by its output {repeated.Output}; expected another name.");
        }

        Tasks = [.. heads.Select(head => new ServedTask(head.Name, embedding.Name, head.ClassNames, head)), .. own];
        (_model, Heads) = (model, heads);
    }

    public IReadOnlyList<NetworkPort> Inputs => _model.Inputs;

    public IReadOnlyList<NetworkPort> Outputs => _model.Outputs;

    public IReadOnlyList<TaskHead> Heads { get; }

    /// <summary>Gets what the heads, and then the network itself, classify.</summary>
    public IReadOnlyList<ServedTask> Tasks { get; }

    public string Device => _model.Device;

    /// <summary>Gets or sets when it was loaded; set once, before it is served.</summary>
    public DateTimeOffset LoadedAt { get; set; }

    /// <summary>Loads what the options name.</summary>
    /// <exception cref="SmileException">A folder is not readable, the device is not there, or a head doesn't fit.</exception>
    public static ServedModel Load(SmilePredictorOptions options)
    {
        IReadOnlyList<TaskHead> heads = options.HeadsFolder is { } folder ? TaskHead.LoadFolder(folder) : [];
        SmileModel model = SmileModel.Load(options.ModelFolder, new ComputeOptions { Device = options.Device, Threads = options.Threads });
        try
        {
            return new ServedModel(model, heads);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Runs a batch.</summary>
    public virtual IReadOnlyDictionary<string, HostTensor> Run(IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlyCollection<string>? outputs)
        => _model.Run(inputs, outputs);

    /// <summary>Continues sequences.</summary>
    public IAsyncEnumerable<GeneratedToken> GenerateAsync(
        IReadOnlyDictionary<string, HostTensor> inputs, GenerationOptions? options, CancellationToken cancellationToken)
        => _model.GenerateAsync(inputs, options, cancellationToken);

    /// <summary>Becomes a user, unless the model is freed already.</summary>
    public bool TryAcquire()
    {
        int users = Volatile.Read(ref _users);
        while (users > 0)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users)
            {
                return true;
            }

            users = seen;
        }

        return false;
    }

    /// <summary>Stops being a user.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            Free();
        }
    }

    /// <summary>Checks that callers of another model can go on with this one.</summary>
    /// <exception cref="SmileException">Names, types or shapes of inputs or outputs differ, or which of them are classes.</exception>
    public void RequireSameInterface(ServedModel other)
    {
        string mine = Describe(this), its = Describe(other);
        if (mine != its)
        {
            throw new SmileException($"The model loaded anew takes and gives {mine}; the one that is served, {its}. Expected the same.");
        }

        static string Describe(ServedModel model)
            => $"{string.Join(", ", model.Inputs.Select(Port))} -> {string.Join(", ", model.Outputs.Select(port => Port(port) + Kind(model, port)))}";

        static string Kind(ServedModel model, NetworkPort port) => model.Tasks.Any(task => task.Head is null && task.Output == port.Name) ? " (classes)" : "";

        static string Port(NetworkPort port) => $"{port.Name} {port.Type} [{string.Join(", ", port.Shape)}]{(port.IsOptional ? "?" : "")}";
    }

    /// <summary>Frees the weights.</summary>
    protected virtual void Free() => _model.Dispose();
}

using System.Runtime.CompilerServices;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;
using Smile.ML.Routing;

namespace Smile.ML.Fusion;

/// <summary>A model ready to run: a fused one, or any plain checkpoint of a supported architecture. Safe for use from several threads.</summary>
public sealed class SmileModel : IDisposable
{
    private readonly Backend _backend;
    private readonly List<IDisposable> _owned;
    private readonly Network _network;
    private readonly ReaderWriterLockSlim _lifetime = new();
    private bool _disposed;

    private SmileModel(ModelConfig config, Backend backend, List<IDisposable> owned, Network network)
        => (Config, _backend, _owned, _network) = (config, backend, owned, network);

    /// <summary>Gets what the model takes.</summary>
    public IReadOnlyList<NetworkPort> Inputs => _network.Inputs;

    /// <summary>Gets what it gives, the output that serves as a sample's embedding first.</summary>
    public IReadOnlyList<NetworkPort> Outputs => _network.Outputs;

    /// <summary>Gets a value indicating whether the model predicts tokens and can continue sequences.</summary>
    public bool CanGenerate => _network is IGenerativeNetwork;

    /// <summary>Gets the device that it runs on.</summary>
    public string Device => _backend.Name;

    /// <summary>Gets the configuration that it was loaded with.</summary>
    internal ModelConfig Config { get; }

    /// <summary>Gets where the model runs, for measurements of its parts.</summary>
    internal Backend Backend => _backend;

    /// <summary>Gets the network, for measurements of its parts.</summary>
    internal Network Network => _network;

    /// <summary>Loads a model from a Hugging Face folder or a fused folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">Where to run it; the CPU where null.</param>
    /// <returns>The model; dispose it to free the weights.</returns>
    /// <exception cref="SmileException">The folder holds no readable checkpoint, or one of an unsupported architecture, or the device is not there.</exception>
    public static SmileModel Load(string folder, ComputeOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (PeftAdapter.IsAdapter(folder))
        {
            throw new SmileException($"{folder}: is an adapter, which runs only together with the model that it was trained on; expected that base as well.");
        }

        using HuggingFaceFolder source = HuggingFaceFolder.Open(folder);
        return Load(source.Config, source, options);
    }

    /// <summary>Loads a PEFT LoRA adapter merged into the model that it was trained on; neither folder is changed.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="baseFolder">The base model's folder.</param>
    /// <param name="options">Where to run it; the CPU where null.</param>
    /// <returns>The model; dispose it to free the weights.</returns>
    /// <exception cref="SmileException">
    /// A folder is not readable, the adapter is of an unsupported kind, it doesn't fit the base, the base is itself a fused model, or the
    /// device is not there.
    /// </exception>
    public static SmileModel LoadAdapter(string folder, string baseFolder, ComputeOptions? options = null)
    {
        if (!PeftAdapter.IsAdapter(folder) && File.Exists(Path.Combine(folder, ModelConfig.FileName)))
        {
            throw new SmileException($"{folder}: is a whole model; a base (--base) goes with an adapter.");
        }

        using HuggingFaceFolder source = HuggingFaceFolder.Open(baseFolder);
        if (Architectures.IsFused(source.Config))
        {
            throw new SmileException($"{baseFolder}: is a fused model ({source.Config.ModelType}); expected the plain one that the adapter was trained on.");
        }

        NetworkManifest manifest = NetworkManifest.Read(source.Config, source);
        using PeftAdapter adapter = PeftAdapter.Open(folder);
        var merged = AdaptedTensors.Merge(adapter.Rename(manifest.Names.NamesAsIn(source)), source, manifest, $"Adapter {folder}");

        // The base's configuration counts the classes of the base's head.
        return Load(merged.ReplacesHead ? source.Config.WithoutLabels() : source.Config, merged, options);
    }

    /// <summary>Loads a model from a configuration and its weights.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">The weights; not needed any more once this returns.</param>
    /// <param name="options">Where to run it; the CPU where null.</param>
    /// <returns>The model; dispose it to free the weights.</returns>
    /// <exception cref="SmileException">The architecture is unsupported, config and weights don't fit together, or the device is not there.</exception>
    public static SmileModel Load(ModelConfig config, ITensorSource source, ComputeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(source);
        Backend backend = Backends.Create(options ?? new ComputeOptions());
        var owned = new List<IDisposable>();
        try
        {
            var loaders = new List<ILinearLoader>();
            if (Architectures.IsFused(config))
            {
                loaders.Add(new RoutedLinearLoader(source, backend, Routers.Create(config)));
            }

            loaders.Add(new DenseLinearLoader(source, backend));
            return new SmileModel(config, backend, owned, NetworkLoader.Load(config, source, backend, loaders, owned));
        }
        catch
        {
            Release(owned, backend);
            throw;
        }
    }

    /// <summary>Runs a batch.</summary>
    /// <param name="inputs">The inputs by name, batch first, shaped as <see cref="Inputs"/> says.</param>
    /// <param name="outputs">Names of the outputs to compute; all where null.</param>
    /// <param name="observer">Told where every token is routed; or null.</param>
    /// <param name="cancellationToken">Ends the run between layers.</param>
    /// <returns>The outputs by name, batch first.</returns>
    /// <exception cref="SmileException">An input is missing, unknown, or of another shape or type, or an output is unknown.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public IReadOnlyDictionary<string, HostTensor> Run(
        IReadOnlyDictionary<string, HostTensor> inputs,
        IEnumerable<string>? outputs = null,
        IRoutingObserver? observer = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        Check(inputs);
        HashSet<string> wanted = [.. outputs ?? Outputs.Select(port => port.Name)];
        if (wanted.FirstOrDefault(name => Outputs.All(port => port.Name != name)) is { } unknown)
        {
            throw new SmileException($"The model has no output {unknown}; it gives {string.Join(", ", Outputs.Select(port => port.Name))}.");
        }

        return WhileAlive(() => _network.Forward(new ForwardPass(_backend, observer, cancellationToken), inputs, wanted));
    }

    /// <summary>Continues a batch of sequences.</summary>
    /// <param name="inputs">
    /// The inputs by name, batch first, shaped as <see cref="Inputs"/> says. Where <c>attention_mask</c> is 0 there is padding, on either
    /// side: each sequence is continued as if it were alone and without padding.
    /// </param>
    /// <param name="options">How to choose tokens and when to end; the defaults where null.</param>
    /// <param name="cancellationToken">Ends the generation between layers.</param>
    /// <returns>
    /// The new tokens, I64 [batch, tokens of the longest continuation]; the prompts are not part of it. Positions after a sequence's end
    /// hold <see cref="GenerationOptions.PadToken"/>.
    /// </returns>
    /// <exception cref="SmileException">
    /// The model doesn't generate, an input is missing, unknown, or of another shape or type, or an option is out of range.
    /// </exception>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public HostTensor Generate(
        IReadOnlyDictionary<string, HostTensor> inputs, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new GenerationOptions();
        GeneratedToken[] generated = [.. Continue(inputs, options, cancellationToken: cancellationToken)];
        int batch = generated.Max(token => token.Sequence) + 1, longest = generated[^1].Position + 1;
        var tokens = new long[batch * longest];
        Array.Fill(tokens, options.PadToken);
        foreach (GeneratedToken token in generated)
        {
            tokens[(token.Sequence * longest) + token.Position] = token.Id;
        }

        return HostTensor.FromIntegers([batch, longest], tokens);
    }

    /// <summary>
    /// Continues a batch of sequences, giving each token as soon as it is known. The computation runs on the thread pool, and only as far
    /// as the caller enumerates.
    /// </summary>
    /// <param name="inputs">As for <see cref="Generate"/>.</param>
    /// <param name="options">How to choose tokens and when to end; the defaults where null.</param>
    /// <param name="cancellationToken">Ends the generation between layers.</param>
    /// <returns>The new tokens: one of each sequence that has not ended, in the order of the sequences, then the next of each.</returns>
    /// <exception cref="SmileException">
    /// The model doesn't generate, an input is missing, unknown, or of another shape or type, or an option is out of range.
    /// </exception>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public async IAsyncEnumerable<GeneratedToken> GenerateAsync(
        IReadOnlyDictionary<string, HostTensor> inputs,
        GenerationOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        options ??= new GenerationOptions();
        var pass = new ForwardPass(_backend, Cancellation: cancellationToken);
        using TokenGenerator generator = await Task.Run(() => StartGeneration(pass, inputs, options), cancellationToken).ConfigureAwait(false);
        while (!generator.IsFinished)
        {
            IReadOnlyList<GeneratedToken> round = await Task.Run(() => WhileAlive(() => generator.Next(pass)), cancellationToken).ConfigureAwait(false);
            foreach (GeneratedToken token in round)
            {
                yield return token;
            }
        }
    }

    /// <summary>Continues a batch of sequences, computing as far as the caller enumerates.</summary>
    /// <param name="inputs">As for <see cref="Generate"/>.</param>
    /// <param name="options">How to choose tokens and when to end.</param>
    /// <param name="streams">Which random numbers each sequence draws: those of the batch's sequence of this index. Its own where null.</param>
    /// <param name="cancellationToken">Ends the generation between layers.</param>
    /// <returns>As <see cref="GenerateAsync"/>.</returns>
    internal IEnumerable<GeneratedToken> Continue(
        IReadOnlyDictionary<string, HostTensor> inputs,
        GenerationOptions options,
        IReadOnlyList<int>? streams = null,
        CancellationToken cancellationToken = default)
    {
        var pass = new ForwardPass(_backend, Cancellation: cancellationToken);
        using TokenGenerator generator = StartGeneration(pass, inputs, options, streams);
        while (!generator.IsFinished)
        {
            foreach (GeneratedToken token in WhileAlive(() => generator.Next(pass)))
            {
                yield return token;
            }
        }
    }

    /// <summary>Runs a batch for what happens inside.</summary>
    /// <exception cref="SmileException">An input is missing, unknown, or of another shape or type.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    internal void Observe(
        IReadOnlyDictionary<string, HostTensor> inputs, IActivationObserver activations, CancellationToken cancellationToken = default)
    {
        Check(inputs);
        _lifetime.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _network.Forward(
                new ForwardPass(_backend, Cancellation: cancellationToken) { Activations = activations }, inputs, new HashSet<string> { Outputs[0].Name });
        }
        finally
        {
            _lifetime.ExitReadLock();
        }
    }

    /// <summary>Frees the weights once no run is under way.</summary>
    public void Dispose()
    {
        _lifetime.EnterWriteLock();
        try
        {
            if (!_disposed)
            {
                _disposed = true;
                Release(_owned, _backend);
            }
        }
        finally
        {
            _lifetime.ExitWriteLock();
        }
    }

    private static void Release(List<IDisposable> owned, Backend backend)
    {
        owned.ForEach(part => part.Dispose());
        owned.Clear();
        backend.Dispose();
    }

    private TokenGenerator StartGeneration(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, GenerationOptions options, IReadOnlyList<int>? streams = null)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        options.Validate();
        if (_network is not IGenerativeNetwork network)
        {
            throw new SmileException("The model predicts no tokens; expected a language model.");
        }

        Check(inputs);
        return WhileAlive(() => new TokenGenerator(network.Start(pass, inputs), options, network.EndTokens, streams));
    }

    /// <summary>Computes something while nobody can dispose the model.</summary>
    private TResult WhileAlive<TResult>(Func<TResult> compute)
    {
        _lifetime.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return compute();
        }
        finally
        {
            _lifetime.ExitReadLock();
        }
    }

    private void Check(IReadOnlyDictionary<string, HostTensor> inputs)
    {
        long? batch = null;
        foreach (NetworkPort port in Inputs)
        {
            if (!inputs.TryGetValue(port.Name, out HostTensor? tensor))
            {
                if (!port.IsOptional)
                {
                    string found = inputs.Count > 0 ? ErrorText.Clip(string.Join(", ", inputs.Keys.Order(StringComparer.Ordinal))) : "no input";
                    throw new SmileException($"Input {port.Name} is missing; found {found}; expected {Describe(port)}.");
                }

                continue;
            }

            bool fits = tensor.Type.IsFloatingPoint() == port.Type.IsFloatingPoint()
                && tensor.Shape.Count == port.Shape.Count + 1
                && tensor.Shape[0] >= 1
                && tensor.Shape[0] == (batch ??= tensor.Shape[0]);
            for (int i = 0; fits && i < port.Shape.Count; i++)
            {
                fits = port.Shape[i] < 0 ? tensor.Shape[i + 1] >= 1 : port.Shape[i] == tensor.Shape[i + 1];
            }

            if (!fits)
            {
                throw new SmileException(
                    $"Input {port.Name} is {tensor.Type} [{string.Join(", ", tensor.Shape)}]; expected {Describe(port)}"
                    + (batch is { } size ? $" with {size} rows." : "."));
            }
        }

        if (inputs.Keys.FirstOrDefault(name => Inputs.All(port => port.Name != name)) is { } unknown)
        {
            throw new SmileException($"The model has no input {ErrorText.Clip(unknown)}; it takes {string.Join(", ", Inputs.Select(port => port.Name))}.");
        }
    }

    private static string Describe(NetworkPort port)
        => $"{port.Type} [batch, {string.Join(", ", port.Shape.Select(d => d < 0 ? "any" : d.ToString(System.Globalization.CultureInfo.InvariantCulture)))}]";
}

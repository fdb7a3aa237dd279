using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks.Generation;

namespace Smile.ML;

/// <summary>
/// Scores rows with a fused model: adds the network's output as a vector of <see cref="float"/>, per task head <c>TASK.Score</c> and
/// <c>TASK.PredictedLabel</c>, for a network that is a classifier itself <c>Score</c> and <c>PredictedLabel</c>, and for a language model the
/// ids that it continues a row with. What it makes of a row doesn't depend on the rows beside it. Safe for use from several threads.
/// </summary>
/// <remarks>
/// Rows are scored lazily, in blocks, and only for the columns that are asked for. Cancelling the <see cref="MLContext"/> ends scoring
/// between blocks with an <see cref="OperationCanceledException"/>. The transformer holds the weights in memory and the model's files
/// open; dispose it, or the prediction engine or transformer chain that owns it, to free both.
/// </remarks>
public sealed class SmileTransformer : ITransformer, IDisposable
{
    private readonly IHost _host;
    private readonly ModelFiles _files;
    private readonly string? _savedPath;
    private volatile bool _disposed;

    private SmileTransformer(IHostEnvironment environment, SmileColumns columns, SmileModel model, ModelFiles files, string? savedPath, int batchSize)
    {
        _host = environment.Register(nameof(SmileTransformer));
        (Columns, Model, _files, _savedPath, BatchSize) = (columns, model, files, savedPath, batchSize);
    }

    /// <summary>Gets the model that scores. It is disposed with the transformer.</summary>
    public SmileModel Model { get; }

    /// <summary>Gets the most rows that are scored together.</summary>
    public int BatchSize { get; }

    /// <summary>Gets what the fusion did; null for a transformer that was loaded, or made of a model in a folder.</summary>
    public FusionReport? Report { get; internal init; }

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>Gets the columns.</summary>
    internal SmileColumns Columns { get; }

    /// <inheritdoc/>
    /// <exception cref="SmileException">An input column is missing or of another type than the network takes.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => CreateMapper(inputSchema).OutputSchema;

    /// <summary>Adds the columns to a data view. No row is read until the result is.</summary>
    /// <param name="input">The rows.</param>
    /// <returns>The rows with the added columns, lazily scored.</returns>
    /// <exception cref="SmileException">An input column is missing or of another type than the network takes.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        return new SmileDataView(CreateMapper(input.Schema), input);
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => CreateMapper(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        ObjectDisposedException.ThrowIf(_disposed, this);
        SmileModelFormat.Save(ctx, Columns, BatchSize, _files, _savedPath);
    }

    /// <summary>Frees the weights, once no run is under way, and closes the model's files.</summary>
    public void Dispose()
    {
        _disposed = true;
        Model.Dispose();
        _files.Dispose();
    }

    /// <summary>Makes a transformer of a model in a folder.</summary>
    /// <param name="environment">Where it lives.</param>
    /// <param name="place">Where the model is.</param>
    /// <param name="columns">Lays the columns out for the loaded model.</param>
    /// <param name="batchSize">The most rows to score together.</param>
    /// <param name="compute">Where to score.</param>
    /// <param name="report">What made the model, where it was fused just now.</param>
    internal static SmileTransformer Create(
        IHostEnvironment environment,
        ModelPlace place,
        Func<ModelConfig, SmileModel, SmileColumns> columns,
        int batchSize,
        ComputeOptions compute,
        FusionReport? report = null)
    {
        CheckBatchSize(batchSize);
        using HuggingFaceFolder folder = HuggingFaceFolder.Open(place.Folder);
        var model = SmileModel.Load(folder.Config, folder, compute);
        try
        {
            SmileColumns layout = columns(folder.Config, model);
            CheckBatchValues(batchSize, layout);
            return new SmileTransformer(
                environment, layout, model, ModelFiles.Open(place.Folder, place.Scratch), place.SavedPath, batchSize)
            { Report = report };
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Checks a batch size.</summary>
    /// <exception cref="SmileException">It is out of range.</exception>
    internal static void CheckBatchSize(int batchSize)
    {
        if (batchSize is < 1 or > 65536)
        {
            throw new SmileException($"{nameof(BatchSize)} is {batchSize}; expected 1 to 65536.");
        }
    }

    /// <summary>Checks that the values of a batch can be counted in 32 bits.</summary>
    private static void CheckBatchValues(int batchSize, SmileColumns columns)
    {
        int size = columns.Inputs.Select(input => input.Size ?? 1)
            .Append(columns.Output.Size ?? 1)
            .Concat(columns.Heads.Select(head => head.ClassNames.Count))
            .Max();
        if ((long)batchSize * size > Array.MaxLength)
        {
            throw new SmileException($"{nameof(BatchSize)} is {batchSize}; expected at most {Array.MaxLength / size}, for rows of {size} values.");
        }
    }

    /// <summary>Runs the network on a batch.</summary>
    /// <param name="inputs">The network's inputs by name, batch first.</param>
    /// <returns>The output that the columns take.</returns>
    internal HostTensor Run(IReadOnlyDictionary<string, HostTensor> inputs)
    {
        Internals.CheckAlive(_host);
        string output = Columns.Output.Port.Name;
        return Model.Run(inputs, [output])[output];
    }

    /// <summary>Continues a batch of rows, each as if it were alone.</summary>
    /// <param name="inputs">The network's inputs by name, batch first.</param>
    /// <param name="rows">The rows of the batch.</param>
    /// <returns>Each row's new ids.</returns>
    internal long[][] Generate(IReadOnlyDictionary<string, HostTensor> inputs, int rows)
    {
        Internals.CheckAlive(_host);
        List<long>[] ids = [.. Enumerable.Range(0, rows).Select(_ => new List<long>())];

        // A row that is alone is a batch's first: its random numbers are every row's.
        foreach (GeneratedToken token in Model.Continue(inputs, Columns.Generation!.Options, streams: new int[rows]))
        {
            Internals.CheckAlive(_host);
            ids[token.Sequence].Add(token.Id);
        }

        return Array.ConvertAll(ids, row => row.ToArray());
    }

    private SmileRowMapper CreateMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new SmileRowMapper(this, inputSchema);
    }
}

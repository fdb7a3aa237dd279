using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML;

/// <summary>
/// Scores rows with a fused model: adds the network's output as a vector of <see cref="float"/> and, per task head, <c>TASK.Score</c> and
/// <c>TASK.PredictedLabel</c>. What it makes of a row doesn't depend on the rows beside it. Safe for use from several threads.
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
    private volatile bool _disposed;

    private SmileTransformer(IHostEnvironment environment, SmileColumns columns, SmileModel model, ModelFiles files, int batchSize)
    {
        _host = environment.Register(nameof(SmileTransformer));
        (Columns, Model, _files, BatchSize) = (columns, model, files, batchSize);
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
    /// <exception cref="SmileException">The input column is missing or of another type than the network takes.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => CreateMapper(inputSchema).OutputSchema;

    /// <summary>Adds the columns to a data view. No row is read until the result is.</summary>
    /// <param name="input">The rows.</param>
    /// <returns>The rows with the added columns, lazily scored.</returns>
    /// <exception cref="SmileException">The input column is missing or of another type than the network takes.</exception>
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
        SmileModelFormat.Save(ctx, Columns, BatchSize, _files);
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
    /// <param name="folder">The model's folder, fused or plain.</param>
    /// <param name="scratch">The temporary folder that the model's is in: it becomes the transformer's; or null.</param>
    /// <param name="columns">Lays the columns out for the loaded model.</param>
    /// <param name="batchSize">The most rows to score together.</param>
    /// <param name="compute">Where to score.</param>
    /// <param name="report">What made the model, where it was fused just now.</param>
    internal static SmileTransformer Create(
        IHostEnvironment environment,
        string folder,
        ScratchFolder? scratch,
        Func<SmileModel, SmileColumns> columns,
        int batchSize,
        ComputeOptions compute,
        FusionReport? report = null)
    {
        CheckBatchSize(batchSize);
        SmileModel model = SmileModel.Load(folder, compute);
        try
        {
            return new SmileTransformer(environment, columns(model), model, ModelFiles.Open(folder, scratch), batchSize) { Report = report };
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

    /// <summary>Runs the network on the first rows of a buffer.</summary>
    /// <param name="inputs">[at least <paramref name="rows"/>, input size].</param>
    /// <param name="rows">Rows to run.</param>
    /// <returns>[rows, output size].</returns>
    internal float[] Run(float[] inputs, int rows)
    {
        Internals.CheckAlive(_host);
        int length = rows * Columns.InputSize;
        HostTensor batch = HostTensor.FromFloats(
            [rows, .. Columns.Input.Shape], inputs.Length == length ? inputs : inputs[..length]);
        var feed = new Dictionary<string, HostTensor> { [Columns.Input.Name] = batch };
        return Model.Run(feed, [Columns.Output.Name])[Columns.Output.Name].Floats!;
    }

    private SmileRowMapper CreateMapper(DataViewSchema inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new SmileRowMapper(this, inputSchema);
    }
}

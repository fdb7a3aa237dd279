using Microsoft.ML;
using Microsoft.ML.Runtime;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>
/// Makes a <see cref="SmileTransformer"/> of a pool of models, or of one that is in a folder. Made by <see cref="SmileCatalog"/>.
/// </summary>
public sealed class SmileEstimator : IEstimator<SmileTransformer>
{
    // Its settings (device, temporary folder) may change until a fit; those of the host are what they were when it was registered.
    private readonly IHostEnvironment _environment;
    private readonly IHost _host;
    private readonly SmileColumns _columns;
    private readonly Func<SmileTransformer> _fit;

    internal SmileEstimator(IHostEnvironment environment, ModelPool pool, IModelMaker maker, ColumnSettings columns, ScoringSettings scoring)
    {
        _environment = environment;
        _host = environment.Register(nameof(SmileEstimator));
        NetworkManifest manifest = pool.ReadManifest();
        _columns = new SmileColumns(columns, manifest.Config, manifest.Inputs, manifest.Outputs, manifest.CanGenerate);
        _fit = () => Make(pool, maker, scoring);
    }

    internal SmileEstimator(IHostEnvironment environment, SmileTransformer transformer)
    {
        _environment = environment;
        _host = environment.Register(nameof(SmileEstimator));
        _columns = transformer.Columns;
        _fit = () => transformer;
    }

    /// <summary>Fuses or merges the pool. The rows are never read: only the input columns' types are looked at.</summary>
    /// <remarks>
    /// Messages go to the context's log; cancelling the context ends the work between two layers. The model is written to the options'
    /// <c>ModelFolder</c>, else to the context's temporary folder (<see cref="MLContext.TempFilePath"/>), where it stays, nameless where the
    /// system allows it, until the transformer is disposed. Every call does the work again: cross-validation over f folds fuses f times. To
    /// do it once, keep the model in a folder and go on with <see cref="SmileCatalog.ApplySmileModel"/>.
    /// </remarks>
    /// <param name="input">Data with the columns that the network reads.</param>
    /// <returns>The transformer; dispose it to free the weights.</returns>
    /// <exception cref="SmileException">
    /// An input column is missing or of another type than the network takes, an option is out of range, an expert doesn't fit the
    /// pretrained model, the model's folder is not empty, or the device is not there.
    /// </exception>
    /// <exception cref="OperationCanceledException">The context was cancelled.</exception>
    public SmileTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _columns.FindInputs(input.Schema);
        return _fit();
    }

    /// <summary>Promises the columns of <see cref="SmileTransformer.GetOutputSchema"/>.</summary>
    /// <param name="inputSchema">What is known of the input.</param>
    /// <returns>The input's columns and the added ones.</returns>
    /// <exception cref="SmileException">An input column is missing or can't be of the type that the network takes.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return _columns.Promise(inputSchema);
    }

    private SmileTransformer Make(ModelPool pool, IModelMaker maker, ScoringSettings scoring)
    {
        using IChannel channel = _host.Start("Fit");
        Internals.CheckAlive(_host);

        // A device that is not there, or a folder that can't be written, is better told before the work than after.
        ComputeOptions compute = ScoringDevice.Choose(_environment, scoring.Device, scoring.Threads);
        RequireFree(scoring.ModelFolder);
        ScratchFolder? scratch = scoring.ModelFolder is null ? new ScratchFolder(Internals.TempFilePath(_environment)) : null;
        try
        {
            string folder = scoring.ModelFolder ?? Path.Combine(scratch!.Path, "model");
            FusionReport? report = maker.Make(pool, folder, channel, new LayerReporter(_host, channel));
            Internals.CheckAlive(_host);
            var place = new ModelPlace(folder, scratch, scoring.SavedPath);
            return SmileTransformer.Create(_host, place, (_, _) => _columns, scoring.BatchSize, compute, report);
        }
        catch
        {
            scratch?.Dispose();
            throw;
        }
    }

    private static void RequireFree(string? modelFolder)
    {
        if (Directory.Exists(modelFolder) && Directory.EnumerateFileSystemEntries(modelFolder).Any())
        {
            throw new SmileException(
                $"{modelFolder}: exists and is not empty; expected a {nameof(SmileOptions.ModelFolder)} that doesn't exist or is empty. An estimator that names one can be fitted once.");
        }
    }

    /// <summary>Logs every layer, and ends the work there when the context was cancelled.</summary>
    private sealed class LayerReporter(IHost host, IChannel channel) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value)
        {
            channel.Trace(MessageSensitivity.Schema, "Layer {0} of {1} done: {2}.", value.LayersDone, value.LayerCount, value.Layer);
            Internals.CheckAlive(host);
        }
    }
}

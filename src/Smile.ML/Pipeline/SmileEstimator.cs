using Microsoft.ML;
using Microsoft.ML.Runtime;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>
/// Fuses a pool of models into one and makes a <see cref="SmileTransformer"/> of it. Made by
/// <see cref="SmileCatalog.Smile(TransformsCatalog, ModelPool, SmileOptions?)"/>.
/// </summary>
public sealed class SmileEstimator : IEstimator<SmileTransformer>
{
    private readonly IHost _host;
    private readonly SmileColumns _columns;
    private readonly Func<SmileTransformer> _fit;

    internal SmileEstimator(IHostEnvironment environment, ModelPool pool, SmileOptions options)
    {
        options.Validate(pool.Experts.Count);
        SmileTransformer.CheckBatchSize(options.BatchSize);
        _host = environment.Register(nameof(SmileEstimator));
        var manifest = NetworkManifest.Read(pool.Pretrained.Config, pool.Pretrained);
        _columns = new SmileColumns(
            options.InputColumnName, options.OutputColumnName, options.NetworkOutput, options.LoadHeads(), manifest.Inputs, manifest.Outputs);
        _fit = () => Fuse(pool, options);
    }

    internal SmileEstimator(IHostEnvironment environment, SmileTransformer transformer)
    {
        _host = environment.Register(nameof(SmileEstimator));
        _columns = transformer.Columns;
        _fit = () => transformer;
    }

    /// <summary>Fuses the pool. The rows are never read: only the input column's type is looked at.</summary>
    /// <remarks>
    /// Messages go to the context's log; cancelling the context ends the fusion between two layers. The fused model is written to the
    /// system's temporary folder and stays there, nameless where the system allows it, until the transformer is disposed.
    /// </remarks>
    /// <param name="input">Data with the column that the network reads.</param>
    /// <returns>The transformer; dispose it to free the weights.</returns>
    /// <exception cref="SmileException">
    /// The input column is missing or of another type than the network takes, an option is out of range, or an expert doesn't fit the
    /// pretrained model.
    /// </exception>
    /// <exception cref="OperationCanceledException">The context was cancelled.</exception>
    public SmileTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        _columns.FindInput(input.Schema);
        return _fit();
    }

    /// <summary>Promises the columns of <see cref="SmileTransformer.GetOutputSchema"/>.</summary>
    /// <param name="inputSchema">What is known of the input.</param>
    /// <returns>The input's columns and the added ones.</returns>
    /// <exception cref="SmileException">The input column is missing or can't be of the type that the network takes.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        ArgumentNullException.ThrowIfNull(inputSchema);
        return _columns.Promise(inputSchema);
    }

    private SmileTransformer Fuse(ModelPool pool, SmileOptions options)
    {
        using IChannel channel = _host.Start("Fuse");
        Internals.CheckAlive(_host);

        // A device that is not there is better told before the work than after.
        Backends.Create(options.Compute).Dispose();
        var scratch = new ScratchFolder();
        try
        {
            string folder = Path.Combine(scratch.Path, "fused");
            FusionReport report = new SmileFusion(options).Fuse(pool, folder, progress: new LayerReporter(_host, channel));
            Report(channel, pool, options, report);
            Internals.CheckAlive(_host);
            return SmileTransformer.Create(_host, folder, scratch, _ => _columns, options.BatchSize, options.Compute, report);
        }
        catch
        {
            scratch.Dispose();
            throw;
        }
    }

    private static void Report(IChannel channel, ModelPool pool, SmileOptions options, FusionReport report)
    {
        channel.Info(
            MessageSensitivity.Schema,
            "Fused {0} experts ({1}) onto {2} in {3:F1} s: expert rank {4}, router rank {5}, {6} expert(s) per token.",
            report.Experts.Count,
            string.Join(", ", report.Experts),
            pool.Pretrained.Config.ModelType,
            report.Elapsed.TotalSeconds,
            options.ExpertRank is { } rank ? rank : "dense",
            options.RouterRank,
            options.ExpertsPerToken);
        channel.Info(
            MessageSensitivity.Schema,
            "{0} linear layers became routed, {1} stayed plain; {2:N0} parameters, the pretrained model has {3:N0}.",
            report.Upscaled.Count,
            report.Kept.Count,
            report.FusedParameters,
            report.PretrainedParameters);
        foreach ((string layer, string reason) in report.Kept)
        {
            channel.Trace(MessageSensitivity.Schema, "{0} stayed plain: {1}.", layer, reason);
        }
    }

    /// <summary>Logs every layer, and ends the fusion there when the context was cancelled.</summary>
    private sealed class LayerReporter(IHost host, IChannel channel) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value)
        {
            channel.Trace(MessageSensitivity.Schema, "Layer {0} of {1} done: {2}.", value.LayersDone, value.LayerCount, value.Layer);
            Internals.CheckAlive(host);
        }
    }
}

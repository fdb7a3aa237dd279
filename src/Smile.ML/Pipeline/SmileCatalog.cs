using Microsoft.ML;
using Microsoft.ML.Runtime;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;

namespace Smile.ML;

/// <summary>Adds Smile.ML to ML.NET's catalogs.</summary>
public static class SmileCatalog
{
    /// <summary>
    /// Fuses a pretrained model and models fine-tuned from it (SMILE), and scores rows with the result. Fitting reads weights, never rows.
    /// </summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="pool">The models. They must stay open until the estimator is fitted.</param>
    /// <param name="options">How to fuse, and which columns to read and add; the defaults where null.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="SmileException">
    /// An option is out of range, a head can't be read or doesn't fit, or the pretrained model is not one that a pipeline can feed.
    /// </exception>
    public static SmileEstimator Smile(this TransformsCatalog catalog, ModelPool pool, SmileOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(pool);
        options ??= new SmileOptions();
        return new SmileEstimator(
            Internals.Environment(catalog),
            pool,
            new FusedModelMaker(options.CreateFusionOptions(pool.Experts.Count)),
            options.CreateColumnSettings(),
            options.CreateScoringSettings(options.ModelFolder));
    }

    /// <summary>
    /// Merges a pretrained model and models fine-tuned from it into one dense model of its size, and scores rows with the result. Fitting
    /// reads weights, never rows.
    /// </summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="pool">The models. They must stay open until the estimator is fitted.</param>
    /// <param name="method">How to merge; see <see cref="MergeMethods"/>.</param>
    /// <param name="options">Which columns to read and add, and how to score; the defaults where null.</param>
    /// <returns>The estimator.</returns>
    /// <exception cref="SmileException">
    /// An option is out of range, a head can't be read or doesn't fit, or the pretrained model is not one that a pipeline can feed.
    /// </exception>
    public static SmileEstimator Merge(this TransformsCatalog catalog, ModelPool pool, MergeMethod method, SmileMergeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(method);
        options ??= new SmileMergeOptions();
        return new SmileEstimator(
            Internals.Environment(catalog),
            pool,
            new MergedModelMaker(method, options.CreateMergeOptions()),
            options.CreateColumnSettings(),
            options.CreateScoringSettings(options.ModelFolder));
    }

    /// <summary>
    /// Scores rows with a model that is in a folder already: a fused one, or any checkpoint of a supported architecture. It is loaded here;
    /// fitting does nothing more, and all transformers fitted are one and the same.
    /// </summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="modelFolder">The folder. Its files are held open as long as the transformer lives.</param>
    /// <param name="options">
    /// Which columns to read and add, and how to score; the defaults where null. Where a saved pipeline is not to hold the weights
    /// (<see cref="SmileScoringOptions.WeightsInZip"/>), it holds <paramref name="modelFolder"/> as it is given here.
    /// </param>
    /// <returns>The estimator.</returns>
    /// <exception cref="SmileException">
    /// An option is out of range, the folder holds no readable checkpoint, the network is not one that a pipeline can feed, a head can't be
    /// read or doesn't fit, or the device is not there.
    /// </exception>
    public static SmileEstimator ApplySmileModel(this TransformsCatalog catalog, string modelFolder, SmileScoringOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentException.ThrowIfNullOrEmpty(modelFolder);
        options ??= new SmileScoringOptions();
        IHostEnvironment environment = Internals.Environment(catalog);
        ColumnSettings columns = options.CreateColumnSettings();
        ScoringSettings scoring = options.CreateScoringSettings(modelFolder);
        var transformer = SmileTransformer.Create(
            environment,
            new ModelPlace(modelFolder, SavedPath: scoring.SavedPath),
            (config, model) => new SmileColumns(columns, config, model.Inputs, model.Outputs, model.CanGenerate),
            scoring.BatchSize,
            ScoringDevice.Choose(environment, scoring.Device, scoring.Threads));
        return new SmileEstimator(environment, transformer);
    }

    /// <summary>
    /// Saves a model as ML.NET's <c>Save</c> does, except that the file gets its name only when it is complete and on disk: a crash, a full disk
    /// or a failure leaves a file that was there before as it was. What a crash leaves beside it, the next call for the same path removes.
    /// </summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="model">The model, with or without parts of Smile.ML.</param>
    /// <param name="inputSchema">The schema of its input, to be saved with it; or null.</param>
    /// <param name="path">The file. One that is there is replaced; missing parent folders are created.</param>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public static void SaveAtomically(this ModelOperationsCatalog catalog, ITransformer model, DataViewSchema? inputSchema, string path)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(model);
        using var output = StagedOutput.Create(path);
        try
        {
            using FileStream file = File.Create(output.TemporaryPath);
            catalog.Save(model, inputSchema, file);
            file.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RegularFile.Failure(path, "cannot be written", e);
        }

        output.PublishFile();
    }

    /// <summary>
    /// Says how a context loads saved pipelines that hold a <see cref="SmileTransformer"/>.
    /// <see cref="ModelOperationsCatalog.Load(string, out DataViewSchema)"/> finds Smile.ML without it, where it lies beside the application.
    /// </summary>
    /// <remarks>
    /// ML.NET wraps what goes wrong in a loader, here a <see cref="SmileException"/>, in a TargetInvocationException, once for each chain around it: ask
    /// it for its <see cref="Exception.GetBaseException"/>.
    /// </remarks>
    /// <param name="context">The context.</param>
    /// <param name="compute">
    /// Where the models that it loads run: a saved model doesn't say. Where null, on the GPU that <see cref="MLContext.GpuDeviceId"/> names,
    /// else on the CPU. A device that is not there is an error, unless <see cref="MLContext.FallbackToCpu"/> is set.
    /// </param>
    /// <param name="weightsRoot">
    /// The folder that holds the weights of pipelines saved without them: relative paths are seen from there, and a path that leads elsewhere
    /// is refused. Where null, paths are followed as they were saved, relative ones from the current folder; those of other machines are
    /// refused. An application that loads what others saved names a folder.
    /// </param>
    /// <returns>The context.</returns>
    public static MLContext RegisterSmile(this MLContext context, ComputeOptions? compute = null, string? weightsRoot = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.ComponentCatalog.RegisterAssembly(typeof(SmileModelLoader).Assembly);
        LoadSettings settings = SmileModelLoader.GetSettings(context);
        SmileModelLoader.SetSettings(
            context, new LoadSettings(compute ?? settings.Compute, weightsRoot ?? settings.WeightsRoot));
        return context;
    }
}

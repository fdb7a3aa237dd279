using System.Globalization;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Networks;

namespace Smile.ML.Fusion.Merging;

/// <summary>
/// A way to merge a pool into one dense model of the pretrained model's architecture and size, without data. Each method is a record of
/// its parameters; theta_0 is the pretrained model, theta_t expert t of T, tau_t = theta_t - theta_0 its task vector. Results don't
/// depend on the number of threads.
/// </summary>
public abstract record MergeMethod
{
    private protected MergeMethod()
    {
    }

    /// <summary>Gets the name under which the method is registered.</summary>
    public abstract string Name { get; }

    /// <summary>Gets what the method does, in a line.</summary>
    public abstract string Summary { get; }

    /// <summary>Gets the parameters with their present values.</summary>
    public abstract IReadOnlyList<MergeParameter> Parameters { get; }

    /// <summary>Gets the method's text, which <see cref="MergeMethods.Parse"/> reads: its name and <c>name=value</c> of each parameter.</summary>
    /// <returns>The text.</returns>
    public sealed override string ToString()
        => string.Join(' ', [Name, .. Parameters.Where(parameter => parameter.Value.Length > 0).Select(parameter => $"{parameter.Name}={parameter.Value}")]);

    /// <summary>
    /// Merges a pool. Thresholds over the whole model are computed now; the tensors, in float32, as they are asked for, one at a time.
    /// </summary>
    /// <param name="pool">The pretrained model and its experts; it must outlive the result.</param>
    /// <param name="threads">The threads to work with; null for all that the machine (its cgroup) gives.</param>
    /// <param name="cancellationToken">Ends the merge, also while the result is being read.</param>
    /// <returns>
    /// The merged model's tensors; dispose them to end the threads. With the pretrained model's configuration they make a model to run.
    /// </returns>
    /// <exception cref="SmileException">
    /// A parameter is out of range, the method can't merge so many experts, an expert doesn't fit the pretrained model, or a value is
    /// not finite. The last is also thrown by reading the result.
    /// </exception>
    /// <exception cref="OperationCanceledException">The merge was cancelled.</exception>
    public ITensorSource Merge(ModelPool pool, int? threads = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pool);
        return Merge(pool, CheckPool(pool), threads, cancellationToken);
    }

    /// <summary>Merges a pool into a folder with the pretrained model's configuration. The folder appears when it is complete, or not at all.</summary>
    /// <param name="pool">The pretrained model and its experts.</param>
    /// <param name="outputFolder">The folder to write.</param>
    /// <param name="options">Element types and threads; the defaults where null.</param>
    /// <param name="overwrite">Whether to replace a folder that is there already.</param>
    /// <param name="progress">Told after each linear layer; or null.</param>
    /// <param name="cancellationToken">Ends the merge; nothing is left behind.</param>
    /// <returns>What was done.</returns>
    /// <exception cref="SmileException">As for the other overload, or an option is out of range, a value is too large for the element type, or the output can't be written.</exception>
    /// <exception cref="OperationCanceledException">The merge was cancelled.</exception>
    public MergeReport Merge(
        ModelPool pool,
        string outputFolder,
        MergeOptions? options = null,
        bool overwrite = false,
        IProgress<FusionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentException.ThrowIfNullOrEmpty(outputFolder);
        options ??= new MergeOptions();
        options.Validate();
        return MergedCheckpoint.Write(this, pool, CheckPool(pool), outputFolder, options, overwrite, progress, cancellationToken);
    }

    /// <summary>Merges a pool that was checked before. Biases that only experts have are left out.</summary>
    internal ITensorSource Merge(ModelPool pool, NetworkManifest manifest, int? threads = null, CancellationToken cancellationToken = default)
    {
        Validate();
        ThreadCount.Validate(threads);
        WorkerPool? own = threads is not null || cancellationToken.CanBeCanceled
            ? new WorkerPool(threads ?? Environment.ProcessorCount, cancellationToken)
            : null;
        try
        {
            var taskVectors = new TaskVectors(pool, manifest, own ?? WorkerPool.Shared, cancellationToken);
            return new MergedTensors(pool, $"{Name} of {pool.Location}", Prepare(taskVectors), own);
        }
        catch
        {
            own?.Dispose();
            throw;
        }
    }

    /// <summary>Checks that the method can merge these experts, and computes what it needs of the whole model.</summary>
    /// <exception cref="SmileException">It can't, or a value is not finite.</exception>
    internal abstract TensorMerger Prepare(TaskVectors taskVectors);

    /// <summary>Checks the parameters.</summary>
    /// <exception cref="SmileException">One is out of range.</exception>
    internal virtual void Validate()
    {
        if (Parameters.FirstOrDefault(parameter => !parameter.IsValid) is { } wrong)
        {
            throw new SmileException($"{Name}: {wrong.Name} is {wrong.Value}; expected {wrong.Expected}.");
        }
    }

    /// <summary>Gets this method with another value of a parameter, which is not checked to be in range yet.</summary>
    /// <exception cref="SmileException">There is no such parameter, or the text is no value of its kind.</exception>
    internal MergeMethod Set(string parameter, string value)
    {
        MergeParameter found = Parameters.FirstOrDefault(known => known.Name == parameter) ?? throw new SmileException(
            Parameters.Count == 0
                ? $"{Name} has no parameters; found {parameter}."
                : $"{Name} has no parameter {parameter}; it has {string.Join(", ", Parameters.Select(known => known.Name))}.");
        return found.Parse(value) ?? throw new SmileException($"{Name}: {parameter} is {value}; expected {found.Expected}.");
    }

    /// <summary>The error of a method that can't merge as many experts as there are.</summary>
    internal SmileException WrongExpertCount(TaskVectors taskVectors, string expected)
        => new(string.Create(CultureInfo.InvariantCulture, $"{Name} merges {expected}; {taskVectors.Location} has {taskVectors.Count}."));

    private static NetworkManifest CheckPool(ModelPool pool)
    {
        NetworkManifest manifest = pool.Check();
        if (manifest.OwnHeads.Modules.Count > 0)
        {
            (string head, IReadOnlyList<string> experts) = manifest.OwnHeads.Modules.First();
            throw new SmileException(
                $"{pool.Location}: the models don't have the head {head} in one shape (found in {(experts.Count > 0 ? $"experts {string.Join(", ", experts)}" : $"{pool.Pretrained.Location} alone")}); "
                + "expected the same head in all, since a merged model has one for every task. smile fuse keeps each expert's own.");
        }

        foreach (LinearLayerInfo layer in manifest.LinearLayers.Where(layer => !layer.HasBias))
        {
            if (pool.Experts.FirstOrDefault(expert => expert.Parameters.Tensors.ContainsKey($"{layer.Name}.bias")) is { } expert)
            {
                throw new SmileException(
                    $"Expert {expert.Name} ({expert.Location}): found {layer.Name}.bias; expected none, since {pool.Pretrained.Location} has none and a merged model keeps its layers.");
            }
        }

        return manifest;
    }
}

using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion;
using Smile.ML.LinearAlgebra;
using Smile.ML.Networks;

namespace Smile.ML.Analysis;

/// <summary>Reads what the weights of a pool say without any data: spectra, overlaps of the experts, subspace zones.</summary>
public static class WeightAnalysis
{
    /// <summary>Analyses a pool layer by layer; only one layer's weights are in memory at a time.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="options">What to analyse; the defaults where null.</param>
    /// <param name="cancellationToken">Ends the analysis.</param>
    /// <returns>The layers in the network's order, each computed as it is asked for.</returns>
    /// <exception cref="SmileException">
    /// An option is out of range, an expert doesn't fit the pretrained model, or a delta is not finite; the last as its layer is asked for.
    /// </exception>
    /// <exception cref="OperationCanceledException">The analysis was cancelled.</exception>
    public static IEnumerable<LayerWeightAnalysis> Measure(
        ModelPool pool, WeightAnalysisOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(pool);
        options ??= new WeightAnalysisOptions();
        if (Math.Min(options.ExpertRank, Math.Min(options.RouterRank, options.SpectrumRank)) < 1)
        {
            throw new SmileException(
                $"ExpertRank is {options.ExpertRank}, RouterRank {options.RouterRank}, SpectrumRank {options.SpectrumRank}; expected 1 or more.");
        }

        ThreadCount.Validate(options.Threads);
        return Layers(pool, pool.Check(), options, cancellationToken);
    }

    private static IEnumerable<LayerWeightAnalysis> Layers(
        ModelPool pool, NetworkManifest manifest, WeightAnalysisOptions options, CancellationToken cancellationToken)
    {
        using WorkerPool threads = new(options.Threads ?? Environment.ProcessorCount, cancellationToken);
        foreach (LinearLayerInfo layer in manifest.LinearLayers)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return Analyse(pool, layer, options, threads, cancellationToken);
        }
    }

    private static LayerWeightAnalysis Analyse(
        ModelPool pool, LinearLayerInfo layer, WeightAnalysisOptions options, WorkerPool threads, CancellationToken cancellationToken)
    {
        using var pretrained = new Matrix(layer.Outputs, layer.Inputs);
        for (int row = 0; row < layer.Outputs; row++)
        {
            pool.Pretrained.ReadFloats(layer.WeightName, (long)row * layer.Inputs, pretrained.Row(row));
        }

        using SubspaceZones? zones = options.Zones ? SubspaceZones.Compute(pretrained, threads) : null;
        double pretrainedNorm = Math.Sqrt(pretrained.View.Energy());
        int rank = Math.Max(options.SpectrumRank, Math.Max(options.ExpertRank, options.RouterRank));
        var factors = new List<TruncatedSvd>();
        try
        {
            var spectra = new List<DeltaSpectrum>();
            var energies = new List<ProjectedEnergy>();
            foreach (Expert expert in pool.Experts)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using WeightDelta delta = expert.ReadDelta(pool.Pretrained, layer, WorkerPool.Caller);
                TruncatedSvd svd = delta.Factorize(rank, keepNullSpace: false, threads);
                factors.Add(svd);
                double energy = delta.ToMatrix().View.Energy();
                spectra.Add(new DeltaSpectrum(
                    expert.Name,
                    [.. svd.SingularValues.Take(options.SpectrumRank)],
                    Math.Sqrt(energy),
                    pretrainedNorm > 0 ? Math.Sqrt(energy) / pretrainedNorm : 0));
                if (zones is not null)
                {
                    energies.Add(Project(zones, expert.Name, delta, energy, threads));
                }
            }

            string[] names = [.. pool.Experts.Select(expert => expert.Name)];
            return new LayerWeightAnalysis
            {
                Layer = layer.Name,
                Outputs = layer.Outputs,
                Inputs = layer.Inputs,
                Spectra = spectra,
                RouterOverlap = Pairs(names, (i, j) => SubspaceAngles.Overlap(factors[i], factors[j], options.RouterRank)),
                LargestCosine = Pairs(names, (i, j) => SubspaceAngles.LargestCosine(factors[i], factors[j], options.RouterRank)),
                DeltaCosine = Pairs(names, (i, j) => SubspaceAngles.DeltaCosine(factors[i], factors[j], options.ExpertRank)),
                ZoneBoundary = zones?.Boundary ?? 0,
                ProjectedEnergy = energies,
                RandomRouterOverlap = (double)factors.Max(svd => Math.Min(options.RouterRank, svd.Rank)) / layer.Inputs,
            };
        }
        finally
        {
            factors.ForEach(svd => svd.Dispose());
        }
    }

    private static ProjectedEnergy Project(SubspaceZones zones, string expert, WeightDelta delta, double energy, WorkerPool threads)
    {
        double Share(SubspaceZone zone)
        {
            using Matrix projected = zones.Project(delta.ToMatrix(), zone, threads);
            return energy > 0 ? projected.View.Energy() / energy : 0;
        }

        return new ProjectedEnergy(expert, Share(SubspaceZone.I), Share(SubspaceZone.II), Share(SubspaceZone.IIAndIII));
    }

    /// <summary>A symmetric matrix, each pair computed once.</summary>
    private static LabelledMatrix Pairs(string[] names, Func<int, int, double> value)
    {
        var values = new double[names.Length, names.Length];
        for (int i = 0; i < names.Length; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                values[i, j] = values[j, i] = value(i, j);
            }
        }

        return new LabelledMatrix(names, names, (i, j) => values[i, j]);
    }
}

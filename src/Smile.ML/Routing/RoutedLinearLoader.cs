using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks;

namespace Smile.ML.Routing;

/// <summary>Loads routed layers from a fused checkpoint.</summary>
internal sealed class RoutedLinearLoader(ITensorSource source, Backend backend, IRowRouter router) : ILinearLoader
{
    /// <summary>How far a row of svh may be from a multiple of its router row, relative to its norm, to be taken as one.</summary>
    private const double SameDirection = 1e-6;

    // Kernels count the values of a few rows in 32 bits.
    private const int MaxRouterRows = 1 << 26;

    public LinearLayerInfo? Find(string name)
        => DenseLinearLoader.Find(source, new RoutedLayerNames(name).SharedLayer) is { } shared ? shared with { Name = name } : null;

    public Linear Load(LinearLayerInfo layer, ICollection<IDisposable> owner)
    {
        var names = new RoutedLayerNames(layer.Name);
        float[]? bias = layer.HasBias ? source.ReadVector(names.SharedBias, layer.Outputs) : null;
        DenseWeights shared = backend.LoadDense(layer.Outputs, layer.Inputs, source.Rows(names.SharedWeight, layer.Inputs), bias);
        owner.Add(shared);

        // A layer of which the experts changed the bias alone has nothing to route by, and a single expert takes every token.
        int experts = router.ExpertCount;
        int routerRank = experts > 1 && HasFactors(names) ? ReadRouterRank(names.Gate, layer.Inputs) : 0;
        DenseWeights? gate = null;
        if (routerRank > 0)
        {
            gate = backend.LoadDense(experts * routerRank, layer.Inputs, source.Rows(names.Gate, layer.Inputs), null);
            owner.Add(gate);
        }

        var definitions = new ExpertDefinition[experts];
        for (int e = 0; e < experts; e++)
        {
            definitions[e] = ReadExpert(names, e, layer, routerRank);
        }

        ExpertWeights weights = backend.LoadExperts(layer.Outputs, layer.Inputs, routerRank, definitions);
        owner.Add(weights);
        return new RoutedLinear(layer.Name, shared, gate, weights, router);
    }

    private bool HasFactors(RoutedLayerNames names)
        => Enumerable.Range(0, router.ExpertCount)
            .SelectMany(e => new[] { names.U(e), names.Svh(e), names.DenseWeight(e) })
            .Any(source.Tensors.ContainsKey);

    private int ReadRouterRank(string name, int inputs)
    {
        if (!source.Tensors.TryGetValue(name, out TensorInfo? gate) || gate.Shape.Count != 2 || gate.Shape[1] != inputs
            || gate.Shape[0] < router.ExpertCount || gate.Shape[0] % router.ExpertCount != 0 || gate.Shape[0] > MaxRouterRows
            || !gate.Type.IsFloatingPoint())
        {
            throw new SmileException(
                $"{source.Location}: tensor {name} is {gate?.Description ?? "missing"}; expected floating-point "
                + $"[{router.ExpertCount} * router rank, {inputs}].");
        }

        return (int)(gate.Shape[0] / router.ExpertCount);
    }

    private ExpertDefinition ReadExpert(RoutedLayerNames names, int expert, LinearLayerInfo layer, int routerRank)
    {
        float[]? bias = source.Tensors.ContainsKey(names.Bias(expert)) ? source.ReadVector(names.Bias(expert), layer.Outputs) : null;
        if (source.Tensors.ContainsKey(names.DenseWeight(expert)))
        {
            source.Require(names.DenseWeight(expert), layer.Outputs, layer.Inputs);
            return new ExpertDefinition { Rank = null, Up = source.Rows(names.DenseWeight(expert), layer.Inputs), Bias = bias };
        }

        if (!source.Tensors.ContainsKey(names.U(expert)) && !source.Tensors.ContainsKey(names.Svh(expert)))
        {
            // An expert that left the weight alone has no factors, whatever its bias.
            return new ExpertDefinition { Rank = 0, Bias = bias };
        }

        bool known = source.Tensors.TryGetValue(names.U(expert), out TensorInfo? u) && u.Shape.Count == 2 && u.Shape[1] is >= 1 and <= MaxRouterRows;
        int rank = known ? (int)u!.Shape[1] : 1;
        source.Require(names.U(expert), layer.Outputs, rank);
        source.Require(names.Svh(expert), rank, layer.Inputs);
        return new ExpertDefinition
        {
            Rank = rank,
            Up = source.Rows(names.U(expert), rank),
            Down = source.Rows(names.Svh(expert), layer.Inputs),
            Bias = bias,
            RouterScales = ReadRouterScales(names, expert, layer.Inputs, rank, routerRank),
        };
    }

    /// <summary>
    /// Finds for how many leading rows svh_i = s_i gate_i holds, and the s_i. Both come from the same singular vectors, but either may
    /// have been rounded to 16 bits, or written by another program.
    /// </summary>
    private float[] ReadRouterScales(RoutedLayerNames names, int expert, int inputs, int rank, int routerRank)
    {
        var scales = new List<float>();
        var gate = new float[inputs];
        var svh = new float[inputs];
        while (scales.Count < Math.Min(rank, routerRank))
        {
            source.ReadFloats(names.Gate, (((long)expert * routerRank) + scales.Count) * inputs, gate);
            source.ReadFloats(names.Svh(expert), (long)scales.Count * inputs, svh);
            double product = 0;
            double square = 0;
            for (int i = 0; i < inputs; i++)
            {
                product += (double)gate[i] * svh[i];
                square += (double)gate[i] * gate[i];
            }

            double scale = square > 0 ? product / square : 0;
            double difference = 0;
            for (int i = 0; i < inputs; i++)
            {
                double d = svh[i] - (scale * gate[i]);
                difference += d * d;
            }

            if (Math.Sqrt(difference) > SameDirection * Math.Abs(scale) * Math.Sqrt(square))
            {
                break;
            }

            scales.Add((float)scale);
        }

        return [.. scales];
    }
}

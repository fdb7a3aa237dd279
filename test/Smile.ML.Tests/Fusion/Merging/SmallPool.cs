using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>A pool of small multi-layer perceptrons on disk, and the same values as float64 for the tests' own formulas.</summary>
internal sealed class SmallPool : IDisposable
{
    public const string Weight = "layers.0.weight";
    public const string Bias = "layers.0.bias";

    private readonly TemporaryFolder _folder = new();

    private SmallPool(Dictionary<string, HostTensor>[] models, IReadOnlyList<string> names)
    {
        Models = models;
        for (int i = 0; i < models.Length; i++)
        {
            var config = new JsonObject { ["model_type"] = "mlp", ["hidden_act"] = "relu" };
            TestPool.WriteModel(_folder[i == 0 ? ModelPool.PretrainedFolder : names[i - 1]], config, models[i]);
        }

        Pool = ModelPool.Open(_folder.Path);
    }

    public ModelPool Pool { get; }

    /// <summary>The pretrained model, then the experts.</summary>
    public Dictionary<string, HostTensor>[] Models { get; }

    public int Experts => Models.Length - 1;

    public string Folder => _folder.Path;

    /// <summary>Random models; the experts are as far from the pretrained one as asked for.</summary>
    public static SmallPool Random(int seed, int experts, int outputs = 6, int inputs = 8, double distance = 0.3)
    {
        var random = new Random(seed);
        var pretrained = new Dictionary<string, HostTensor>
        {
            [Weight] = TestPool.Gaussian(random, 1, outputs, inputs),
            [Bias] = TestPool.Gaussian(random, 1, outputs),
            ["layers.1.weight"] = TestPool.Gaussian(random, 1, 3, outputs),
            ["layers.1.bias"] = TestPool.Gaussian(random, 1, 3),
        };
        return Around(pretrained, [.. Enumerable.Range(0, experts).Select(_ => Moved(pretrained, random, distance))]);
    }

    /// <summary>Takes experts as they are, named so that their order is kept.</summary>
    public static SmallPool Around(Dictionary<string, HostTensor> pretrained, IReadOnlyList<Dictionary<string, HostTensor>> experts, IReadOnlyList<string>? names = null)
        => new([pretrained, .. experts], names ?? [.. experts.Select((_, i) => $"expert{i}")]);

    public static Dictionary<string, HostTensor> Moved(Dictionary<string, HostTensor> model, Random random, double distance)
        => model.ToDictionary(pair => pair.Key, pair => Moved(pair.Value, random, distance));

    /// <summary>All parameters of a merge.</summary>
    public Dictionary<string, float[]> Merge(MergeMethod method, int? threads = null)
    {
        using ITensorSource merged = method.Merge(Pool, threads);
        return merged.Tensors.Keys.ToDictionary(name => name, merged.ReadFloats);
    }

    /// <summary>theta_t, or theta_0 for -1.</summary>
    public double[] Theta(int expert, string tensor) => [.. Models[expert + 1][tensor].Floats!.Select(value => (double)value)];

    /// <summary>tau_t in float32, as the methods see it, widened.</summary>
    public double[] Tau(int expert, string tensor)
        => [.. Models[expert + 1][tensor].Floats!.Zip(Models[0][tensor].Floats!, (tuned, before) => (double)(tuned - before))];

    public double[][] Taus(string tensor) => [.. Enumerable.Range(0, Experts).Select(expert => Tau(expert, tensor))];

    /// <summary>tau_t of the first layer's weight as a matrix.</summary>
    public double[,] Delta(int expert)
    {
        IReadOnlyList<long> shape = Models[0][Weight].Shape;
        double[] values = Tau(expert, Weight);
        var delta = new double[shape[0], shape[1]];
        Buffer.BlockCopy(values, 0, delta, 0, values.Length * sizeof(double));
        return delta;
    }

    public double[][,] Deltas() => [.. Enumerable.Range(0, Experts).Select(Delta)];

    public void Dispose()
    {
        Pool.Dispose();
        _folder.Dispose();
    }

    private static HostTensor Moved(HostTensor tensor, Random random, double distance)
    {
        float[] steps = TestPool.Gaussian(random, (float)distance, tensor.Floats!.Length).Floats!;
        return HostTensor.FromFloats(tensor.Shape, [.. tensor.Floats.Zip(steps, (value, step) => value + step)]);
    }
}

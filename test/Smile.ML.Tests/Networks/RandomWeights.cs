using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks;

/// <summary>The random tensors of a tiny network, by their names in a checkpoint.</summary>
internal sealed class RandomWeights(int seed)
{
    private readonly Random _random = new(seed);

    public Dictionary<string, HostTensor> Tensors { get; } = [];

    public void Add(string name, float scale, params int[] shape) => Tensors[name] = TestPool.Gaussian(_random, scale, shape);

    public void AddLinear(string name, int outputs, int inputs, bool bias = true)
    {
        Add($"{name}.weight", 0.4f, outputs, inputs);
        if (bias)
        {
            Add($"{name}.bias", 0.2f, outputs);
        }
    }

    public void AddRmsNorm(string name, int size)
        => Tensors[$"{name}.weight"] = HostTensor.FromFloats([size], [.. TestPool.Gaussian(_random, 0.2f, size).Floats!.Select(value => 1 + value)]);

    public void AddLayerNorm(string name, int size)
    {
        AddRmsNorm(name, size);
        Add($"{name}.bias", 0.2f, size);
    }

    /// <summary>Writes the network and loads it.</summary>
    public SmileModel Load(JsonObject config)
    {
        using var folder = new TemporaryFolder();
        return SmileModel.Load(TestPool.WriteModel(folder["model"], config, Tensors));
    }
}

using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fusion.Merging;

[TestClass]
public class LoraCatTests
{
    private const int Outputs = 6, Inputs = 8, Rank = 2;
    private const double Scale = 2.5;

    [TestMethod]
    [DataRow("lora-cat", 1 / 3.0, 1 / 3.0, 1 / 3.0)]
    [DataRow("lora-cat weights=0.5,0,2", 0.5, 0, 2)]
    public void AddsTheProductOfTheConcatenatedFactors(string method, params double[] weights)
    {
        using SmallPool whole = SmallPool.Random(70, experts: 1);
        var random = new Random(71);
        float[][] a = [.. weights.Select(_ => TestPool.Gaussian(random, 1, Rank, Inputs).Floats!)];
        float[][] b = [.. weights.Select(_ => TestPool.Gaussian(random, 1, Outputs, Rank).Floats!)];
        using var folder = new TemporaryFolder();
        for (int i = 0; i < weights.Length; i++)
        {
            WriteAdapter(folder[$"adapter{i}"], a[i], b[i]);
        }

        using ModelPool pool = ModelPool.Open(
            Path.Combine(whole.Folder, ModelPool.PretrainedFolder), weights.Select((_, i) => KeyValuePair.Create($"adapter{i}", folder[$"adapter{i}"])));
        using ITensorSource merged = MergeMethods.Parse(method).Merge(pool);

        double[,] left = Dense.SideBySide(b.Select((factor, t) => Dense.Generate(Outputs, Rank, (i, k) => weights[t] * Scale * factor[(i * Rank) + k])));
        double[,] right = Dense.SideBySide(a.Select(factor => Dense.Generate(Inputs, Rank, (j, k) => factor[(k * Inputs) + j])));
        MergeAssert.AreClose(
            whole.Theta(-1, SmallPool.Weight).Zip(Dense.Multiply(left, Dense.Transpose(right)).Cast<double>(), (value, step) => value + step),
            merged.ReadFloats(SmallPool.Weight),
            1e-5,
            "weight");
        CollectionAssert.AreEqual(whole.Models[0][SmallPool.Bias].Floats, merged.ReadFloats(SmallPool.Bias));
    }

    private static void WriteAdapter(string folder, float[] a, float[] b)
    {
        TensorFile.Write(Path.Combine(folder, "adapter_model.safetensors"), new Dictionary<string, HostTensor>
        {
            ["base_model.model.layers.0.lora_A.weight"] = HostTensor.FromFloats([Rank, Inputs], a),
            ["base_model.model.layers.0.lora_B.weight"] = HostTensor.FromFloats([Outputs, Rank], b),
        });
        File.WriteAllText(
            Path.Combine(folder, "adapter_config.json"),
            """{ "peft_type": "LORA", "r": 2, "lora_alpha": 5, "bias": "none", "target_modules": ["layers.0"] }""");
    }
}

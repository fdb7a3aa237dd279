using System.Text.Json;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Tests.Operations;
using Smile.ML.Fusion;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Cuda.Tests.Goldens;

/// <summary>Fuses the golden pools in every setting and compares what a device makes of them with the float64 reference's outputs.</summary>
/// <param name="folder">One network's folder of goldens.</param>
/// <param name="device">The device.</param>
/// <param name="tolerance">The largest error, relative to a tensor's largest value, at least 1.</param>
internal sealed class GoldenChecks(string folder, string device, double tolerance)
{
    private readonly ComputeOptions _compute = new() { Device = device };

    /// <summary>Checks outputs and routing of all fused models; decisions must be the same.</summary>
    /// <returns>The number of models.</returns>
    /// <exception cref="OperationFailedException">Something differs.</exception>
    public int Run()
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "golden.json")));
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        int models = 0;
        foreach (JsonProperty setting in golden.RootElement.GetProperty("fused").EnumerateObject())
        {
            string fused = Directory.CreateTempSubdirectory("smile-cuda-").FullName;
            try
            {
                Check(setting, inputs, Path.Combine(fused, "model"));
                models++;
            }
            finally
            {
                Directory.Delete(fused, recursive: true);
            }
        }

        return models;
    }

    private void Check(JsonProperty setting, Dictionary<string, HostTensor> inputs, string fused)
    {
        using (ModelPool pool = ModelPool.Open(
            Path.Combine(folder, "_pretrained_"),
            setting.Value.GetProperty("experts").EnumerateArray()
                .Select(expert => KeyValuePair.Create(Path.GetFileName(expert.GetString()!), Path.Combine(folder, expert.GetString()!)))))
        {
            new SmileFusion(Options(setting)).Fuse(pool, fused);
        }

        using SmileModel model = SmileModel.Load(fused, _compute);
        var routing = new RoutingTensors();
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(inputs, observer: routing);
        foreach ((string name, HostTensor expected) in TensorFile.Read(Path.Combine(folder, setting.Value.GetProperty("file").GetString()!)))
        {
            HostTensor actual = name == "generated"
                ? model.Generate(inputs, new GenerationOptions { MaxNewTokens = (int)expected.Shape[1], StopTokens = [] })
                : outputs[name];
            Compare($"{setting.Name}/{name}", expected, actual);
        }

        if (setting.Value.TryGetProperty("routing_file", out JsonElement file))
        {
            foreach ((string name, HostTensor expected) in TensorFile.Read(Path.Combine(folder, file.GetString()!)))
            {
                Compare($"{setting.Name}/{name}", expected, routing.Tensors[name]);
            }
        }
    }

    private static SmileFusionOptions Options(JsonProperty setting)
    {
        int rank = setting.Value.GetProperty("k").GetInt32();
        bool average = setting.Value.TryGetProperty("average_experts", out JsonElement value) && value.GetBoolean();
        return new SmileFusionOptions
        {
            ExpertRank = rank > 0 ? rank : null,
            RouterRank = setting.Value.GetProperty("gate_k").GetInt32(),
            ExpertsPerToken = setting.Value.GetProperty("top_k").GetInt32(),
            Compatibility = FusionCompatibility.FusionBench,
            Shared = !average ? SharedParameters.Pretrained
                : setting.Name.EndsWith("avgall", StringComparison.Ordinal) ? SharedParameters.Average
                : SharedParameters.AverageLeaves,
            Keep = [.. setting.Value.GetProperty("kept_because").EnumerateObject()
                .Where(kept => kept.Value.GetString()!.Contains("head", StringComparison.Ordinal)).Select(kept => kept.Name)],
        };
    }

    private void Compare(string what, HostTensor expected, HostTensor actual)
    {
        if (expected.Type == TensorType.I64)
        {
            Values.AssertSame<long>(what, expected.Integers, actual.Integers);
            return;
        }

        double scale = expected.Floats!.Select(Math.Abs).Append(1f).Max();
        Values.AssertClose(what, [.. expected.Floats!.Select(x => (double)x)], actual.Floats!, tolerance * scale);
    }
}

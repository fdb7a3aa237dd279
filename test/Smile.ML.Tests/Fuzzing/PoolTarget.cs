using System.Text;
using System.Text.Json.Nodes;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Pools with a hostile expert, fused: what is fused must load, what is refused must leave nothing behind.</summary>
internal sealed class PoolTarget : FuzzTarget
{
    private readonly string _pool;
    private readonly JsonObject _config;
    private readonly TensorFileMutator _weights;

    public PoolTarget()
    {
        _pool = TestPool.WriteMlp(Files, 2, [6, 8, 5]);
        _config = JsonNode.Parse(File.ReadAllText(Path.Combine(_pool, "b", "config.json")))!.AsObject();
        _weights = new TensorFileMutator(Path.Combine(_pool, "b", "model.safetensors"));
    }

    public override void Execute(Random random)
    {
        bool changesConfig = random.Next(4) == 0;
        Files.Write("pool/b/config.json", changesConfig ? JsonMutator.Mutate(random, _config, ["model_type", "x"]) : IntactConfig());
        Files.Write("pool/b/model.safetensors", changesConfig ? _weights.Intact() : _weights.Create(random));
        string output = Files["fused"];
        try
        {
            using var pool = ModelPool.Open(_pool);
            new SmileFusion(new SmileFusionOptions { ExpertRank = 2, RouterRank = 1, Threads = 1 }).Fuse(pool, output, overwrite: true);
        }
        finally
        {
            CollectionAssert.IsSubsetOf(Files.Names(), (string[])["fused", "pool"]);
        }

        using SmileModel model = SmileModel.Load(output, new ComputeOptions { Threads = 1 });
        ModelTarget.Run(model);
        Directory.Delete(output, recursive: true);
    }

    private byte[] IntactConfig() => Encoding.UTF8.GetBytes(_config.ToJsonString());
}

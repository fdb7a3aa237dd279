using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Folders of shards with a hostile index: what loads holds only tensors of these shards.</summary>
internal sealed class IndexTarget : FuzzTarget
{
    private const string IndexName = "model.safetensors.index.json";
    private readonly JsonObject _index;
    private readonly byte[] _intact;
    private readonly Dictionary<string, byte[]> _tensors = [];
    private readonly Dictionary<string, byte[]> _shards = [];
    private readonly string[] _names;

    public IndexTarget()
    {
        string folder = Files["model"];
        TinyModels.WriteMlp(folder, maxShardBytes: 600);
        _intact = File.ReadAllBytes(Path.Combine(folder, IndexName));
        _index = JsonNode.Parse(_intact)!.AsObject();
        using var model = HuggingFaceFolder.Open(folder);
        foreach (string name in model.Tensors.Keys)
        {
            _tensors[name] = model.ReadBytes(name);
        }

        foreach (string file in model.FileNames.Where(name => name.EndsWith(".safetensors", StringComparison.Ordinal)))
        {
            _shards[file] = File.ReadAllBytes(Path.Combine(folder, file));
        }

        _names = [.. _tensors.Keys, .. model.FileNames, "weight_map", "metadata", "../x", "a\0b"];
        File.WriteAllText(Files["outside.safetensors"], "not to be opened");
    }

    public override void Execute(Random random)
    {
        JsonObject index = _index;
        if (random.Next(2) == 0)
        {
            // A name of the map, replaced by the path of something that is there but is none of the model's.
            index = index.DeepClone().AsObject();
            JsonObject map = index["weight_map"]!.AsObject();
            string[] elsewhere = ["../outside.safetensors", Files["outside.safetensors"], "..", "config.json", IndexName, "", ".", "x/../model", "model\\x", _shards.First().Key.ToUpperInvariant(), _shards.First().Key + " ", "C:" + _shards.First().Key, "//host/share"];
            map[map.ElementAt(random.Next(map.Count)).Key] = elsewhere[random.Next(elsewhere.Length)];
        }

        bool damagesShard = random.Next(8) == 0;
        string shard = Files[Path.Combine("model", _shards.ElementAt(random.Next(_shards.Count)).Key)];
        if (damagesShard)
        {
            File.WriteAllBytes(shard, ByteMutator.Mutate(random, _shards[Path.GetFileName(shard)]));
        }

        byte[] content = damagesShard ? _intact : random.Next(4) == 0 ? ByteMutator.Mutate(random, _intact) : JsonMutator.Mutate(random, index, _names);
        Files.Write(Path.Combine("model", IndexName), content);
        try
        {
            using var model = HuggingFaceFolder.Open(Files["model"]);
            foreach (string name in model.Tensors.Keys)
            {
                byte[] read = model.ReadBytes(name);
                if (!damagesShard)
                {
                    CollectionAssert.AreEqual(_tensors[name], read, name);
                }
            }
        }
        finally
        {
            File.WriteAllBytes(shard, _shards[Path.GetFileName(shard)]);
        }
    }
}

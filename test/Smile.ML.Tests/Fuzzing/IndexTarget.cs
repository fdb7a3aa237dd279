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
            string[] elsewhere = ["../outside.safetensors", Files["outside.safetensors"], "..", "config.json", IndexName, "", ".", "x/../model", "model\\x"];
            map[map.ElementAt(random.Next(map.Count)).Key] = elsewhere[random.Next(elsewhere.Length)];
        }

        byte[] content = random.Next(4) == 0 ? ByteMutator.Mutate(random, _intact) : JsonMutator.Mutate(random, index, _names);
        Files.Write(Path.Combine("model", IndexName), content);
        using var model = HuggingFaceFolder.Open(Files["model"]);
        foreach (string name in model.Tensors.Keys)
        {
            CollectionAssert.AreEqual(_tensors[name], model.ReadBytes(name), name);
        }
    }
}

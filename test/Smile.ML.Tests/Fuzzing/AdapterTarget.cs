using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>LoRA adapters with a hostile configuration or hostile factors.</summary>
internal sealed class AdapterTarget : FuzzTarget
{
    private static readonly string[] Keys =
    [
        "peft_type", "r", "lora_alpha", "bias", "target_modules", "modules_to_save", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora",
        "init_lora_weights", "exclude_modules", "layers_to_transform", "layers_pattern", "layer_replication", "target_parameters",
    ];

    private readonly string _base;
    private readonly JsonObject _config;
    private readonly byte[] _intactConfig;
    private readonly TensorFileMutator _factors;

    public AdapterTarget()
    {
        _base = Path.Combine(TestPool.WriteMlp(Files, 1, [6, 8, 5]), "_pretrained_");
        _config = TestAdapter.Config(
            ("target_modules", new JsonArray("0", "1")), ("rank_pattern", new JsonObject { ["layers.0"] = 2 }), ("alpha_pattern", new JsonObject { ["1"] = 5 }));
        string folder = TestAdapter.Write(Files["adapter"], _config, TestAdapter.MlpFactors(1, 2, 6, 8, 5));
        _intactConfig = File.ReadAllBytes(Path.Combine(folder, "adapter_config.json"));
        _factors = new TensorFileMutator(Path.Combine(folder, "adapter_model.safetensors"));
    }

    public override void Execute(Random random)
    {
        bool changesConfig = random.Next(2) == 0;
        byte[] config = !changesConfig
            ? _intactConfig
            : random.Next(4) == 0 ? ByteMutator.Mutate(random, _intactConfig) : JsonMutator.Mutate(random, _config, Keys);
        Files.Write("adapter/adapter_config.json", config);
        Files.Write("adapter/adapter_model.safetensors", changesConfig ? _factors.Intact() : _factors.Create(random));
        using SmileModel model = SmileModel.LoadAdapter(Files["adapter"], _base, new ComputeOptions { Threads = 1 });
        ModelTarget.Run(model);
    }
}

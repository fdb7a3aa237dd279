using System.Text;
using System.Text.Json.Nodes;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Checkpoint folders of every architecture, plain and fused, with a hostile configuration or hostile weights; what loads must run.</summary>
internal sealed class ModelTarget : FuzzTarget
{
    private static readonly ComputeOptions Compute = new() { Threads = 1 };

    // What configurations may hold beside the members that the intact ones have.
    private static readonly string[] Keys =
    [
        "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size",
        "image_size", "patch_size", "num_channels", "projection_dim", "hidden_act", "layer_norm_eps", "rms_norm_eps", "rope_theta", "rope_scaling",
        "rope_parameters", "partial_rotary_factor", "sliding_window", "use_sliding_window", "max_window_layers", "layer_types", "tie_word_embeddings",
        "attention_bias", "mlp_bias", "eos_token_id", "pad_token_id", "decoder_start_token_id", "d_model", "d_kv", "d_ff", "num_layers", "num_decoder_layers",
        "num_heads", "relative_attention_num_buckets", "relative_attention_max_distance", "feed_forward_proj", "is_gated_act", "dense_act_fn",
        "layer_norm_epsilon", "id2label", "num_labels", "architectures", "type_vocab_size", "max_position_embeddings", "position_embedding_type", "is_decoder",
        "qkv_bias", "pooler_output_size", "pooler_act", "text_config", "vision_config", "torch_dtype",
        "num_local_experts", "num_experts_per_tok", "rank_of_router", "rank_of_expert", "router", "expert_names",
    ];

    private readonly List<Model> _models = [];

    /// <summary>Writes the models.</summary>
    /// <param name="fused">Whether to take SMILE's fusions of them, else the plain ones.</param>
    public ModelTarget(bool fused)
    {
        foreach ((string folder, JsonObject config) in TinyNetworks.WriteAll(Files.Path))
        {
            _models.Add(new Model(fused ? Fuse(folder) : folder));
        }
    }

    public override void Execute(Random random)
    {
        Model intact = _models[random.Next(_models.Count)];
        byte[] config = intact.Config, weights = intact.Weights.Intact();
        switch (random.Next(4))
        {
            case 0:
                weights = intact.Weights.Create(random);
                break;
            case 1 when random.Next(4) == 0:
                config = ByteMutator.Mutate(random, config);
                break;
            default:
                config = JsonMutator.Mutate(random, intact.Json, Keys);
                break;
        }

        string folder = Directory.CreateDirectory(Files["case"]).FullName;
        Files.Write("case/config.json", config);
        Files.Write("case/model.safetensors", weights);
        if (random.Next(8) == 0)
        {
            CheckpointSummary.Read(folder);
            return;
        }

        using SmileModel model = SmileModel.Load(folder, Compute);
        Run(model);
    }

    /// <summary>Runs a model on any input that its ports ask for; the outputs must be of the sizes that it declares.</summary>
    internal static void Run(SmileModel model)
    {
        IReadOnlyDictionary<string, HostTensor> outputs;
        try
        {
            outputs = model.Run(TinyNetworks.Inputs(model.Inputs));
        }
        catch (SmileException)
        {
            // The tokens need not be right for a changed vocabulary, say: the input is to blame, and is named.
            return;
        }

        foreach (NetworkPort port in model.Outputs)
        {
            long[] shape = [.. outputs[port.Name].Shape];
            for (int i = 0; i < port.Shape.Count; i++)
            {
                Assert.IsTrue(port.Shape[i] < 0 || port.Shape[i] == shape[i + 1], $"{port.Name} is [{string.Join(", ", shape)}]");
            }
        }
    }

    private static string Fuse(string folder)
    {
        string output = folder + "-fused";
        Directory.CreateDirectory(folder + "-expert");
        File.Copy(Path.Combine(folder, "config.json"), Path.Combine(folder + "-expert", "config.json"));
        Dictionary<string, HostTensor> tensors = TensorFile.Read(Path.Combine(folder, "model.safetensors"));
        foreach (HostTensor tensor in tensors.Values)
        {
            for (int i = 0; i < tensor.Floats!.Length; i++)
            {
                tensor.Floats[i] += 0.01f * ((i * 7919 % 13) - 6);
            }
        }

        TensorFile.Write(Path.Combine(folder + "-expert", "model.safetensors"), tensors);
        using var pool = ModelPool.Open(folder, [KeyValuePair.Create("a", folder + "-expert"), KeyValuePair.Create("b", folder + "-expert")]);
        new SmileFusion(new SmileFusionOptions { ExpertRank = 2, RouterRank = 1, Threads = 1 }).Fuse(pool, output);
        return output;
    }

    private sealed class Model(string folder)
    {
        public byte[] Config { get; } = File.ReadAllBytes(Path.Combine(folder, "config.json"));

        public JsonObject Json => field ??= JsonNode.Parse(Encoding.UTF8.GetString(Config))!.AsObject();

        public TensorFileMutator Weights { get; } = new(Path.Combine(folder, "model.safetensors"));
    }
}

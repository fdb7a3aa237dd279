using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>The smallest useful checkpoint of every architecture: random weights of the shapes that the architecture itself asks for.</summary>
internal static class TinyNetworks
{
    private const string Encoder = """ "hidden_size":8,"intermediate_size":12,"num_hidden_layers":1,"num_attention_heads":2 """;
    private const string Image = """ "image_size":4,"patch_size":2,"num_channels":1 """;
    private const string Tokens = """ "vocab_size":16,"max_position_embeddings":12 """;
    private const string Decoder = $$""" {{Encoder}},"num_key_value_heads":1,"head_dim":4,"vocab_size":16,"rms_norm_eps":1e-5,"rope_theta":1000.0 """;

    private static readonly string[] Configs =
    [
        """{"model_type":"mlp","hidden_act":"relu"}""",
        $$"""{"model_type":"clip_vision_model",{{Encoder}},{{Image}},"projection_dim":6,"architectures":["CLIPVisionModelWithProjection"],"layer_norm_eps":1e-5}""",
        $$"""{"model_type":"clip_text_model",{{Encoder}},{{Tokens}},"projection_dim":6,"eos_token_id":2,"architectures":["CLIPTextModelWithProjection"]}""",
        $$"""{"model_type":"clip","projection_dim":6,"architectures":["CLIPModel"],"text_config":{ {{Encoder}},{{Tokens}},"eos_token_id":2},"vision_config":{ {{Encoder}},{{Image}} } }""",
        $$"""{"model_type":"bert",{{Encoder}},{{Tokens}},"type_vocab_size":2,"layer_norm_eps":1e-12,"architectures":["BertForSequenceClassification"],"num_labels":3}""",
        $$"""{"model_type":"roberta",{{Encoder}},{{Tokens}},"type_vocab_size":1,"pad_token_id":1,"architectures":["RobertaForSequenceClassification"],"id2label":{"0":"a","1":"b"} }""",
        $$"""{"model_type":"vit",{{Encoder}},{{Image}},"qkv_bias":true,"architectures":["ViTForImageClassification"],"num_labels":3}""",
        $$"""{"model_type":"mistral",{{Decoder}},"sliding_window":3}""",
        $$"""{"model_type":"llama",{{Decoder}},"attention_bias":true,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":16} }""",
        $$"""{"model_type":"qwen2",{{Decoder}},"use_sliding_window":true,"sliding_window":3,"layer_types":["sliding_attention"],"tie_word_embeddings":true}""",
        """{"model_type":"t5","d_model":8,"d_kv":4,"d_ff":12,"num_layers":1,"num_decoder_layers":1,"num_heads":2,"vocab_size":16,"relative_attention_num_buckets":8,"relative_attention_max_distance":9,"feed_forward_proj":"gated-gelu","tie_word_embeddings":false}""",
    ];

    /// <summary>Writes all of them, in folders named by their model type.</summary>
    /// <returns>The folders and configurations.</returns>
    public static IReadOnlyList<(string Folder, JsonObject Config)> WriteAll(string parent)
        => [.. Configs.Select(text => Write(parent, JsonNode.Parse(text)!.AsObject()))];

    /// <summary>Makes an input for each of a network's ports: one row, three tokens.</summary>
    public static Dictionary<string, HostTensor> Inputs(IEnumerable<NetworkPort> ports)
    {
        var inputs = new Dictionary<string, HostTensor>();
        foreach (NetworkPort port in ports)
        {
            long[] shape = [1, .. port.Shape.Select(dimension => dimension < 0 ? 3L : dimension)];
            int count = (int)shape.Aggregate(1L, (product, dimension) => product * dimension);
            inputs[port.Name] = port.Type == TensorType.F32
                ? HostTensor.FromFloats(shape, [.. Enumerable.Range(0, count).Select(i => 0.1f * (i % 7))])
                : HostTensor.FromIntegers(shape, [.. Enumerable.Range(0, count).Select(i => port.Name == "token_type_ids" ? 0L : 1)]);
        }

        return inputs;
    }

    private static (string Folder, JsonObject Config) Write(string parent, JsonObject config)
    {
        string type = (string)config["model_type"]!, folder = Path.Combine(parent, type);
        var shapes = new ShapeRecorder(ModelConfig.Parse(config.ToJsonString(), type));
        if (type == "mlp")
        {
            shapes.Linear("layers.0", 5, 4, bias: true);
            shapes.Linear("layers.1", 3, 5, bias: true);
        }
        else
        {
            Architectures.Find(shapes.Config).Build(shapes);
        }

        var random = new Random(5);
        TestPool.WriteModel(folder, config, shapes.Shapes.ToDictionary(tensor => tensor.Key, tensor => TestPool.Gaussian(random, 0.3f, tensor.Value)));
        return (folder, config);
    }

    /// <summary>Notes the tensors that an architecture asks for, and gives it stand-ins.</summary>
    private sealed class ShapeRecorder(ModelConfig config) : ModuleBuilder(config)
    {
        public Dictionary<string, int[]> Shapes { get; } = [];

        public override LinearLayerInfo? FindLinear(string name) => null;

        public override Linear Linear(string name, int outputs, int inputs, bool bias)
        {
            Shapes[$"{name}.weight"] = [outputs, inputs];
            if (bias)
            {
                Shapes[$"{name}.bias"] = [outputs];
            }

            return new Placeholder(name, outputs);
        }

        public override Linear TiedLinear(string name, string weight, int outputs, int inputs) => new Placeholder(name, outputs);

        public override Tensor Parameter(string name, params ReadOnlySpan<int> shape)
        {
            Shapes[name] = shape.ToArray();
            return new NoTensor();
        }

        public override Linear PatchConvolution(string name, int outputs, PatchGeometry geometry, bool bias)
        {
            Linear(name, outputs, geometry.PatchLength, bias);
            Shapes[$"{name}.weight"] = [outputs, geometry.Channels, geometry.PatchSize, geometry.PatchSize];
            return new Placeholder(name, outputs);
        }
    }

    private sealed class Placeholder(string name, int outputs) : Linear
    {
        public override string Name => name;

        public override int Outputs => outputs;

        public override int ProductCount => throw new NotSupportedException();

        protected override void Prepare(ForwardPass pass, int rows, Span<DenseProduct> products) => throw new NotSupportedException();

        protected override Tensor Complete(ForwardPass pass, Tensor input, ReadOnlySpan<DenseProduct> products) => throw new NotSupportedException();
    }

    private sealed class NoTensor : Tensor
    {
        public override void Dispose()
        {
        }
    }
}

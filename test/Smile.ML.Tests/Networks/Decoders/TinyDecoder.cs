using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Networks.Decoders;

/// <summary>A small decoder of random weights in Hugging Face's layout, and a float64 computation of what it must give.</summary>
internal sealed class TinyDecoder
{
    private readonly JsonObject _config;
    private readonly int _hidden, _inner, _layers, _heads, _keyHeads, _headSize, _vocabulary;

    /// <summary>Draws the weights.</summary>
    /// <param name="modelType">The family.</param>
    /// <param name="changes">JSON members that are added to the config or replace its sizes.</param>
    /// <param name="seed">Where the random weights start.</param>
    public TinyDecoder(string modelType, string changes = "{}", int seed = 1)
    {
        _config = JsonNode.Parse(
            """
            {
              "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
              "vocab_size": 50, "rms_norm_eps": 1e-5, "rope_theta": 1000.0, "hidden_act": "silu"
            }
            """)!.AsObject();
        _config["model_type"] = modelType;
        foreach ((string key, JsonNode? value) in JsonNode.Parse(changes)!.AsObject())
        {
            _config[key] = value?.DeepClone();
        }

        _hidden = (int)_config["hidden_size"]!;
        _inner = (int)_config["intermediate_size"]!;
        _layers = (int)_config["num_hidden_layers"]!;
        _heads = (int)_config["num_attention_heads"]!;
        _keyHeads = (int?)_config["num_key_value_heads"] ?? _heads;
        _headSize = (int?)_config["head_dim"] ?? _hidden / _heads;
        _vocabulary = (int)_config["vocab_size"]!;
        Tensors = Draw(new Random(seed));
    }

    public Dictionary<string, HostTensor> Tensors { get; }

    public JsonObject Config => _config.DeepClone().AsObject();

    private bool QueryKeyValueBias => (string)_config["model_type"]! == "qwen2" || Has("attention_bias");

    /// <summary>Writes the model.</summary>
    public string Write(string folder) => TestPool.WriteModel(folder, Config, Tensors);

    /// <summary>
    /// The logits after each token of one sequence, step by step in float64: every query head has its own copy of its keys and values, and
    /// visible keys are listed one by one.
    /// </summary>
    public double[][] Logits(IReadOnlyList<int> ids, int[] windows)
    {
        double[][] hidden = [.. ids.Select(id => Row("model.embed_tokens.weight", id))];
        for (int layer = 0; layer < _layers; layer++)
        {
            string name = $"model.layers.{layer}";
            double[][] normal = [.. hidden.Select(x => Norm($"{name}.input_layernorm", x))];
            double[][] q = [.. normal.Select((x, t) => Rotate(Apply($"{name}.self_attn.q_proj", x), t))];
            double[][] k = [.. normal.Select((x, t) => Rotate(Apply($"{name}.self_attn.k_proj", x), t))];
            double[][] v = [.. normal.Select(x => Apply($"{name}.self_attn.v_proj", x))];
            for (int t = 0; t < hidden.Length; t++)
            {
                int first = windows[layer] > 0 ? Math.Max(0, t - windows[layer] + 1) : 0;
                hidden[t] = Add(hidden[t], Apply($"{name}.self_attn.o_proj", Attend(q[t], k[first..(t + 1)], v[first..(t + 1)])));
                double[] inner = Norm($"{name}.post_attention_layernorm", hidden[t]);
                double[] gate = Apply($"{name}.mlp.gate_proj", inner), up = Apply($"{name}.mlp.up_proj", inner);
                hidden[t] = Add(hidden[t], Apply($"{name}.mlp.down_proj", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]));
            }
        }

        string head = Has("tie_word_embeddings") ? "model.embed_tokens" : "lm_head";
        return [.. hidden.Select(x => Apply(head, Norm("model.norm", x)))];
    }

    private double[] Attend(double[] query, double[][] keys, double[][] values)
    {
        var mixed = new double[query.Length];
        for (int head = 0; head < _heads; head++)
        {
            int from = head * _headSize;
            int keyFrom = head / (_heads / _keyHeads) * _headSize;
            double[] scores = [.. keys.Select(key => Enumerable.Range(0, _headSize).Sum(i => query[from + i] * key[keyFrom + i]) / Math.Sqrt(_headSize))];
            double sum = scores.Sum(score => Math.Exp(score - scores.Max()));
            for (int i = 0; i < _headSize; i++)
            {
                mixed[from + i] = scores.Select((score, j) => Math.Exp(score - scores.Max()) / sum * values[j][keyFrom + i]).Sum();
            }
        }

        return mixed;
    }

    private double[] Rotate(double[] heads, int position)
    {
        int half = _headSize / 2;
        var result = new double[heads.Length];
        for (int i = 0; i < heads.Length; i++)
        {
            int feature = i % _headSize;
            double angle = position * Math.Pow((double)_config["rope_theta"]!, -2.0 * (feature % half) / _headSize);
            double partner = feature < half ? -heads[i + half] : heads[i - half];
            result[i] = (heads[i] * Math.Cos(angle)) + (partner * Math.Sin(angle));
        }

        return result;
    }

    private double[] Norm(string name, double[] x)
    {
        double scale = 1 / Math.Sqrt(x.Average(value => value * value) + (double)_config["rms_norm_eps"]!);
        return [.. x.Select((value, i) => value * scale * Tensors[$"{name}.weight"].Floats![i])];
    }

    private double[] Apply(string name, double[] x)
    {
        HostTensor weight = Tensors[$"{name}.weight"];
        float[]? bias = Tensors.GetValueOrDefault($"{name}.bias")?.Floats;
        return [.. Enumerable.Range(0, (int)weight.Shape[0]).Select(row => Row($"{name}.weight", row).Zip(x, (w, value) => w * value).Sum() + (bias?[row] ?? 0))];
    }

    private double[] Row(string name, int row)
    {
        HostTensor tensor = Tensors[name];
        int columns = (int)tensor.Shape[1];
        return [.. tensor.Floats![(row * columns)..((row + 1) * columns)].Select(value => (double)value)];
    }

    private static double[] Add(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];

    private bool Has(string flag) => (bool?)_config[flag] ?? false;

    private Dictionary<string, HostTensor> Draw(Random random)
    {
        var tensors = new Dictionary<string, HostTensor>
        {
            ["model.embed_tokens.weight"] = TestPool.Gaussian(random, 0.7f, _vocabulary, _hidden),
            ["model.norm.weight"] = Gain(random),
        };
        if (!Has("tie_word_embeddings"))
        {
            tensors["lm_head.weight"] = TestPool.Gaussian(random, 0.4f, _vocabulary, _hidden);
        }

        for (int layer = 0; layer < _layers; layer++)
        {
            string name = $"model.layers.{layer}";
            tensors[$"{name}.input_layernorm.weight"] = Gain(random);
            tensors[$"{name}.post_attention_layernorm.weight"] = Gain(random);
            AddLinear($"{name}.self_attn.q_proj", _heads * _headSize, _hidden, QueryKeyValueBias);
            AddLinear($"{name}.self_attn.k_proj", _keyHeads * _headSize, _hidden, QueryKeyValueBias);
            AddLinear($"{name}.self_attn.v_proj", _keyHeads * _headSize, _hidden, QueryKeyValueBias);
            AddLinear($"{name}.self_attn.o_proj", _hidden, _heads * _headSize, Has("attention_bias"));
            AddLinear($"{name}.mlp.gate_proj", _inner, _hidden, Has("mlp_bias"));
            AddLinear($"{name}.mlp.up_proj", _inner, _hidden, Has("mlp_bias"));
            AddLinear($"{name}.mlp.down_proj", _hidden, _inner, Has("mlp_bias"));
        }

        return tensors;

        void AddLinear(string name, int outputs, int inputs, bool bias)
        {
            tensors[$"{name}.weight"] = TestPool.Gaussian(random, 1.5f / MathF.Sqrt(inputs), outputs, inputs);
            if (bias)
            {
                tensors[$"{name}.bias"] = TestPool.Gaussian(random, 0.3f, outputs);
            }
        }
    }

    private HostTensor Gain(Random random)
        => HostTensor.FromFloats([_hidden], [.. TestPool.Gaussian(random, 0.2f, _hidden).Floats!.Select(value => 1 + value)]);
}

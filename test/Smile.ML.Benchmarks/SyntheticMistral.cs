using Smile.ML.Checkpoints;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Models of Mistral-7B's shapes with random weights in bfloat16: a base of independent values, and experts that differ from it by a
/// product of low rank whose singular values fall as 1/(k + 1), by noise, and by what bfloat16 rounds off.
/// </summary>
/// <param name="layers">Decoder layers.</param>
/// <param name="vocabulary">Tokens.</param>
/// <param name="deltaRank">The rank of the product.</param>
internal sealed class SyntheticMistral(int layers, int vocabulary, int deltaRank)
{
    /// <summary>The layer that is no decoder layer's.</summary>
    public const string Head = "lm_head";

    private const int Hidden = 4096;
    private const int Inner = 14336;
    private const int Keys = 1024;
    private const float WeightScale = 0.02f;
    private const float DeltaScale = 5e-4f;
    private const float NoiseScale = 2e-4f;

    /// <summary>Writes <c>_pretrained_</c> and the experts below a folder, where they are not there yet.</summary>
    /// <returns>The pool's folder.</returns>
    public string WritePool(string folder, int experts)
    {
        string pool = Path.Combine(folder, $"mistral-{layers}x{vocabulary}r{deltaRank}");
        Write(Path.Combine(pool, "_pretrained_"), expert: 0);
        for (int e = 1; e <= experts; e++)
        {
            Write(Path.Combine(pool, $"expert{e}"), e);
        }

        return pool;
    }

    private void Write(string folder, int expert)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        (string Name, int Rows, int Columns)[] tensors = [.. Tensors()];
        using CheckpointWriter writer = CheckpointWriter.Create(folder, tensors.Select(tensor => new TensorInfo(tensor.Name, TensorType.BF16, Shape(tensor))));
        for (int i = 0; i < tensors.Length; i++)
        {
            writer.WriteTensor(tensors[i].Name, TensorType.BF16, Shape(tensors[i]), Values(tensors[i].Rows, tensors[i].Columns, i, expert));
        }

        writer.SetConfig(ModelConfig.Parse(
            $$"""
            {
              "architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": {{Hidden}}, "intermediate_size": {{Inner}},
              "num_hidden_layers": {{layers}}, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": {{vocabulary}},
              "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 4096,
              "max_position_embeddings": 32768, "tie_word_embeddings": false, "torch_dtype": "bfloat16"
            }
            """,
            folder));
        writer.Commit();
    }

    private IEnumerable<(string Name, int Rows, int Columns)> Tensors()
    {
        yield return ("model.embed_tokens.weight", vocabulary, Hidden);
        for (int i = 0; i < layers; i++)
        {
            string layer = $"model.layers.{i}";
            yield return ($"{layer}.input_layernorm.weight", 1, Hidden);
            yield return ($"{layer}.self_attn.q_proj.weight", Hidden, Hidden);
            yield return ($"{layer}.self_attn.k_proj.weight", Keys, Hidden);
            yield return ($"{layer}.self_attn.v_proj.weight", Keys, Hidden);
            yield return ($"{layer}.self_attn.o_proj.weight", Hidden, Hidden);
            yield return ($"{layer}.post_attention_layernorm.weight", 1, Hidden);
            yield return ($"{layer}.mlp.gate_proj.weight", Inner, Hidden);
            yield return ($"{layer}.mlp.up_proj.weight", Inner, Hidden);
            yield return ($"{layer}.mlp.down_proj.weight", Hidden, Inner);
        }

        yield return ("model.norm.weight", 1, Hidden);
        yield return ($"{Head}.weight", vocabulary, Hidden);
    }

    private static long[] Shape((string Name, int Rows, int Columns) tensor)
        => tensor.Rows == 1 ? [tensor.Columns] : [tensor.Rows, tensor.Columns];

    private float[] Values(int rows, int columns, int tensor, int expert)
    {
        var values = new float[(long)rows * columns];
        if (rows == 1)
        {
            Array.Fill(values, 1f);
            return values;
        }

        Parallel.For(0, rows, row =>
            SyntheticValues.AddNoise(new Random(unchecked((tensor * 40503) + row)), WeightScale, values.AsSpan(row * columns, columns)));
        if (expert > 0)
        {
            SyntheticValues.AddFineTuning(values, columns, deltaRank, DeltaScale, NoiseScale, seed: (tensor * 131) + expert);
        }

        return values;
    }
}

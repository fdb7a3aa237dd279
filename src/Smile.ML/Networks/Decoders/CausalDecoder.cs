using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.Decoders;

/// <summary>
/// A decoder-only language model, in the semantics of Hugging Face's MistralForCausalLM and its relatives. A forward pass counts
/// positions from each row's first token, padding or not, and only keeps masked tokens from being attended to, as theirs does; what it
/// gives at masked tokens means nothing. Generation takes padding away first, on whichever side it is, so that positions count
/// real tokens only: what their <c>generate</c> does with left padding.
/// </summary>
internal sealed class CausalDecoder(
    DecoderSizes sizes,
    RotaryEmbedding rotary,
    Embedding embedding,
    IReadOnlyList<DecoderLayer> layers,
    RmsNorm norm,
    Linear head,
    IReadOnlyList<int> endTokens) : Network, IGenerativeNetwork
{
    private const string InputIds = "input_ids";

    public override IReadOnlyList<NetworkPort> Inputs { get; } =
    [
        new NetworkPort(InputIds, TensorType.I64, [-1]),
        new NetworkPort("attention_mask", TensorType.I64, [-1], IsOptional: true),
    ];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        new NetworkPort("logits", TensorType.F32, [-1, sizes.Vocabulary]),
        new NetworkPort("last_hidden_state", TensorType.F32, [-1, sizes.Hidden]),
    ];

    public IReadOnlyList<int> EndTokens => endTokens;

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        int[] ids = inputs.ReadIds(InputIds, sizes.Vocabulary);
        TokenBatch batch = inputs.ReadBatch(InputIds);
        using Tensor angles = rotary.Angles(pass, [.. Enumerable.Range(0, batch.Length)]);
        AttentionShape shape = Shape(batch.Count, batch.Length, batch.Length) with { KeyMask = batch.Mask };
        using Tensor hidden = Run(pass, ids, new DecoderStep(shape, angles), caches: null);
        using Tensor normal = norm.Forward(pass, hidden);
        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(normal, batch.Count, batch.Length, sizes.Hidden);
        }

        if (wanted.Contains("logits"))
        {
            using Tensor logits = head.Forward(pass, normal);
            outputs["logits"] = pass.Download(logits, batch.Count, batch.Length, sizes.Vocabulary);
        }

        return outputs;
    }

    public GenerationSession Start(ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs)
    {
        int[] ids = inputs.ReadIds(InputIds, sizes.Vocabulary);
        TokenBatch batch = inputs.ReadBatch(InputIds);
        var session = new CausalDecoderSession(this, batch.Count, sizes.Vocabulary);
        try
        {
            session.Prefill(pass, Prompts(ids, batch));
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Makes one empty cache per block.</summary>
    internal KeyValueCache[] CreateCaches(int batch) => [.. layers.Select(layer => new KeyValueCache(batch, layer.KeySize))];

    /// <summary>
    /// Runs new tokens of every sequence through the blocks, behind those in the caches, and keeps their keys and values there.
    /// </summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="ids">The new tokens, the same number of each sequence, one sequence after the other.</param>
    /// <param name="lengths">How many tokens of each sequence the caches hold.</param>
    /// <param name="caches">The blocks' caches.</param>
    /// <returns>The hidden states before the last norm, [tokens, hidden].</returns>
    internal Tensor Extend(ForwardPass pass, int[] ids, ReadOnlyMemory<int> lengths, KeyValueCache[] caches)
    {
        int batch = lengths.Length;
        int added = ids.Length / batch;
        var positions = new int[ids.Length];
        var counts = new int[batch];
        for (int sequence = 0; sequence < batch; sequence++)
        {
            int length = lengths.Span[sequence];
            counts[sequence] = length + added;
            for (int i = 0; i < added; i++)
            {
                positions[(sequence * added) + i] = length + i;
            }
        }

        using Tensor angles = rotary.Angles(pass, positions);
        AttentionShape shape = Shape(batch, added, counts.Max()) with { KeyCounts = counts };
        return Run(pass, ids, new DecoderStep(shape, angles, lengths), caches);
    }

    /// <summary>Predicts what follows each of the given hidden states: [states, vocabulary].</summary>
    internal Tensor Predict(ForwardPass pass, Tensor hidden)
    {
        using Tensor normal = norm.Forward(pass, hidden);
        return head.Forward(pass, normal);
    }

    private static int[][] Prompts(int[] ids, TokenBatch batch)
    {
        var prompts = new int[batch.Count][];
        for (int sequence = 0; sequence < prompts.Length; sequence++)
        {
            int start = sequence * batch.Length;
            prompts[sequence] = [.. Enumerable.Range(start, batch.Length).Where(i => batch.Mask is not { } mask || mask[i] != 0).Select(i => ids[i])];
            if (prompts[sequence].Length == 0)
            {
                throw new SmileException($"Input attention_mask masks all of row {sequence}; expected at least one token to continue from.");
            }
        }

        return prompts;
    }

    private Tensor Run(ForwardPass pass, int[] ids, DecoderStep step, KeyValueCache[]? caches)
    {
        Tensor hidden = embedding.Forward(pass, ids);
        try
        {
            for (int i = 0; i < layers.Count; i++)
            {
                layers[i].Forward(pass, hidden, step, caches?[i]);
            }

            return hidden;
        }
        catch
        {
            hidden.Dispose();
            throw;
        }
    }

    private AttentionShape Shape(int batch, int queryTokens, int keyTokens) => new()
    {
        Batch = batch,
        QueryTokens = queryTokens,
        KeyTokens = keyTokens,
        Heads = sizes.Heads,
        KeyValueHeads = sizes.KeyValueHeads,
        HeadSize = sizes.HeadSize,
        Scale = 1f / MathF.Sqrt(sizes.HeadSize),
        Causal = true,
    };
}

using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>T5 (v1.1 and Flan-T5 included) in the semantics of Hugging Face's T5ForConditionalGeneration.</summary>
/// <param name="hiddenSize">Features of a token.</param>
/// <param name="encoder">The encoder.</param>
/// <param name="decoder">The decoder.</param>
/// <param name="startToken">What every generated sequence starts from; not part of the result.</param>
/// <param name="endTokens">What ends a generated sequence.</param>
internal sealed class T5(int hiddenSize, T5Encoder encoder, T5Decoder decoder, int startToken, IReadOnlyList<int> endTokens)
    : Network, IGenerativeNetwork
{
    private const string DecoderIds = "decoder_input_ids";

    /// <summary>Gets the inputs. <c>decoder_input_ids</c> are for the logits alone: generation starts from the start token.</summary>
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
    [
        new NetworkPort("input_ids", TensorType.I64, [-1]),
        new NetworkPort("attention_mask", TensorType.I64, [-1], IsOptional: true),
        new NetworkPort(DecoderIds, TensorType.I64, [-1], IsOptional: true),
    ];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        new NetworkPort("logits", TensorType.F32, [-1, decoder.Vocabulary]) { NeededInput = DecoderIds },
        new NetworkPort("encoder_last_hidden_state", TensorType.F32, [-1, hiddenSize]),
    ];

    public IReadOnlyList<int> EndTokens => endTokens;

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        bool decodes = wanted.Contains("logits");
        if (decodes && !inputs.ContainsKey(DecoderIds))
        {
            throw new SmileException($"Input {DecoderIds} is missing; the output logits needs it.");
        }

        int[] decoderIds = decodes ? inputs.ReadIds(DecoderIds, decoder.Vocabulary) : [];
        TokenBatch batch = inputs.ReadBatch("input_ids");
        using Tensor encoded = Encode(pass, inputs, batch);
        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("encoder_last_hidden_state"))
        {
            outputs["encoder_last_hidden_state"] = pass.Download(encoded, batch.Count, batch.Length, hiddenSize);
        }

        if (decodes)
        {
            using T5DecoderState state = decoder.Start(pass, encoded, batch);
            using Tensor logits = decoder.Forward(pass, state, decoderIds);
            outputs["logits"] = pass.Download(logits, batch.Count, decoderIds.Length / batch.Count, decoder.Vocabulary);
        }

        return outputs;
    }

    public GenerationSession Start(ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs)
    {
        TokenBatch batch = inputs.ReadBatch("input_ids");
        using Tensor encoded = Encode(pass, inputs, batch);
        var session = new T5Session(decoder, decoder.Start(pass, encoded, batch));
        try
        {
            var start = new int[batch.Count];
            Array.Fill(start, startToken);
            session.Step(pass, start);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private Tensor Encode(ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, TokenBatch batch)
        => encoder.Forward(pass, inputs.ReadIds("input_ids", decoder.Vocabulary), batch);
}

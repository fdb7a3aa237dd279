using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Encoders;

/// <summary>
/// BERT and RoBERTa in the semantics of Hugging Face's BertModel, BertForSequenceClassification and RobertaForSequenceClassification.
/// </summary>
internal sealed class Bert(
    BertSizes sizes,
    PositionNumbering positions,
    BertEmbeddings embeddings,
    IReadOnlyList<PostNormLayer> layers,
    SequenceHeads heads) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } =
    [
        new NetworkPort("input_ids", TensorType.I64, [-1]),
        new NetworkPort("attention_mask", TensorType.I64, [-1], IsOptional: true),
        new NetworkPort("token_type_ids", TensorType.I64, [-1], IsOptional: true),
    ];

    public override IReadOnlyList<NetworkPort> Outputs { get; } =
    [
        .. heads.Outputs,
        new NetworkPort("last_hidden_state", TensorType.F32, [-1, sizes.Hidden]),
        .. heads.OwnOutputs,
    ];

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        TokenBatch batch = inputs.ReadBatch("input_ids");
        Tensor hidden = Embed(pass, inputs, batch);
        foreach (PostNormLayer layer in layers)
        {
            using Tensor input = hidden;
            hidden = layer.Forward(pass, input, batch);
        }

        using (hidden)
        {
            return Finish(pass, hidden, batch, wanted);
        }
    }

    private Tensor Embed(ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, TokenBatch batch)
    {
        int[] ids = inputs.ReadIds("input_ids", sizes.Vocabulary);
        int[] types = new int[ids.Length];
        if (inputs.TryGetValue("token_type_ids", out HostTensor? typeIds))
        {
            TokenInputs.RequireSameLength(typeIds, "token_type_ids", inputs["input_ids"], "input_ids");
            types = inputs.ReadIds("token_type_ids", sizes.TokenTypes, "type_vocab_size");
        }

        return embeddings.Forward(pass, ids, types, positions.Of(ids, batch));
    }

    private Dictionary<string, HostTensor> Finish(ForwardPass pass, Tensor hidden, TokenBatch batch, IReadOnlySet<string> wanted)
    {
        var outputs = new Dictionary<string, HostTensor>();
        if (wanted.Contains("last_hidden_state"))
        {
            outputs["last_hidden_state"] = pass.Download(hidden, batch.Count, batch.Length, sizes.Hidden);
        }

        using Tensor first = pass.Gather(hidden, batch.FirstRows());
        heads.Forward(pass, first, wanted, outputs);
        return outputs;
    }
}

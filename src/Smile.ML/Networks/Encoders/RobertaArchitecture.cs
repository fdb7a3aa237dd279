namespace Smile.ML.Networks.Encoders;

/// <summary>
/// Builds <see cref="Bert"/> from a <c>roberta</c> checkpoint, with or without the prefix <c>roberta.</c>: positions count from behind the
/// padding token's id, the head has a dense layer of its own.
/// </summary>
internal sealed class RobertaArchitecture : IArchitecture
{
    public IReadOnlyList<string> ModelTypes { get; } = ["roberta"];

    public Network Build(ModuleBuilder builder)
    {
        // Of the language model that RoBERTa is pretrained as, the encoder is taken.
        builder.Config.RequireArchitecture("RobertaForSequenceClassification", "RobertaModel", "RobertaForMaskedLM");
        BertModules.RequireSupported(builder.Config);
        BertSizes sizes = BertSizes.Read(builder.Config, defaultVocabulary: 50265);
        int padding = builder.Config.GetInt32("pad_token_id", 1, minimum: 0, maximum: sizes.Positions - 2);
        string root = BertModules.FindRoot(builder, "roberta.");
        BertEmbeddings embeddings = BertModules.Embeddings(builder, root, sizes);
        IReadOnlyList<PostNormLayer> layers = BertModules.Layers(builder, root, sizes.Hidden);
        BertHead? head = BuildHead(builder, sizes);

        // The head takes the first token itself; a pooler that old checkpoints hold beside it is not used.
        Pooler? pooler = head is null ? BuildPooler(builder, root, sizes) : null;
        return new Bert(sizes, new PositionNumbering(padding, sizes.Positions), embeddings, layers, pooler, head);
    }

    private static Pooler? BuildPooler(ModuleBuilder builder, string root, BertSizes sizes)
    {
        string name = $"{root}pooler.dense";
        return builder.FindLinear(name) is null ? null : new Pooler(builder.Linear(name, sizes.Hidden, sizes.Hidden, bias: true));
    }

    private static BertHead? BuildHead(ModuleBuilder builder, BertSizes sizes)
        => builder.HasHead("classifier.out_proj", "ForSequenceClassification")
            ? new BertHead(
                new Pooler(builder.Linear("classifier.dense", sizes.Hidden, sizes.Hidden, bias: true)),
                builder.Linear("classifier.out_proj", builder.Config.GetLabelCount(), sizes.Hidden, bias: true))
            : null;
}

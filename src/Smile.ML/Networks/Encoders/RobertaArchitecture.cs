namespace Smile.ML.Networks.Encoders;

/// <summary>
/// Builds <see cref="Bert"/> from a <c>roberta</c> checkpoint, with or without the prefix <c>roberta.</c>: positions count from behind the
/// padding token's id, the head has a dense layer of its own.
/// </summary>
internal sealed class RobertaArchitecture : IArchitecture
{
    private const string ClassifierOutput = "classifier.out_proj";

    public IReadOnlyList<string> ModelTypes { get; } = ["roberta"];

    public CheckpointNames Names { get; } = new() { Prefix = "roberta.", Heads = ["roberta.pooler", "classifier"], Unused = ["lm_head.*"] };

    public Network Build(ModuleBuilder builder)
    {
        // Of the language model that RoBERTa is pretrained as, the encoder is taken.
        builder.Config.RequireArchitecture("RobertaForSequenceClassification", "RobertaModel", "RobertaForMaskedLM");
        BertModules.RequireSupported(builder.Config);
        BertSizes sizes = BertSizes.Read(builder.Config, defaultVocabulary: 50265);
        int padding = builder.Config.GetInt32("pad_token_id", 1, minimum: 0, maximum: sizes.Positions - 2);
        string root = BertModules.FindRoot(builder, Names.Prefix);
        BertEmbeddings embeddings = BertModules.Embeddings(builder, root, sizes);
        IReadOnlyList<PostNormLayer> layers = BertModules.Layers(builder, root, sizes.Hidden);
        var heads = SequenceHeads.Build(
            builder, owner => BuildPooler(owner, $"{root}pooler.dense", sizes.Hidden), owner => BuildClassifier(owner, sizes.Hidden));
        return new Bert(sizes, new PositionNumbering(padding, sizes.Positions), embeddings, layers, heads);
    }

    /// <summary>The classifier takes the first token itself; a pooler that old checkpoints hold beside it is not used.</summary>
    private static Pooler? BuildPooler(ModuleBuilder owner, string name, int hidden)
        => owner.HasHead(name) && !Classifies(owner) ? new Pooler(owner.Linear(name, hidden, hidden, bias: true)) : null;

    private static SequenceClassifier? BuildClassifier(ModuleBuilder owner, int hidden)
        => Classifies(owner)
            ? new SequenceClassifier(
                new Pooler(owner.Linear("classifier.dense", hidden, hidden, bias: true)),
                owner.Linear(ClassifierOutput, owner.GetLabelCount(ClassifierOutput), hidden, bias: true))
            : null;

    private static bool Classifies(ModuleBuilder owner) => owner.HasHead(ClassifierOutput, "ForSequenceClassification");
}

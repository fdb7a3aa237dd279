namespace Smile.ML.Networks.Encoders;

/// <summary>Builds <see cref="Bert"/> from a <c>bert</c> checkpoint, with or without the prefix <c>bert.</c></summary>
internal sealed class BertArchitecture : IArchitecture
{
    private const string Classifier = "classifier";
    private const string ClassifierKind = "ForSequenceClassification";

    public IReadOnlyList<string> ModelTypes { get; } = ["bert"];

    public CheckpointNames Names { get; } = new() { Prefix = "bert.", Heads = ["bert.pooler", Classifier], Unused = ["cls.*"] };

    public Network Build(ModuleBuilder builder)
    {
        // Of the language models that BERT is pretrained as, the encoder is taken.
        builder.Config.RequireArchitecture("BertForSequenceClassification", "BertModel", "BertForMaskedLM", "BertForPreTraining");
        BertModules.RequireSupported(builder.Config);
        BertSizes sizes = BertSizes.Read(builder.Config, defaultVocabulary: 30522);
        string root = BertModules.FindRoot(builder, Names.Prefix);
        BertEmbeddings embeddings = BertModules.Embeddings(builder, root, sizes);
        IReadOnlyList<PostNormLayer> layers = BertModules.Layers(builder, root, sizes.Hidden);
        var heads = SequenceHeads.Build(
            builder, owner => BuildPooler(owner, builder, $"{root}pooler.dense", sizes.Hidden), owner => BuildClassifier(owner, sizes.Hidden), classifiesPooled: true);
        return new Bert(sizes, new PositionNumbering(null, sizes.Positions), embeddings, layers, heads);
    }

    private static Pooler? BuildPooler(ModuleBuilder owner, ModuleBuilder model, string name, int hidden)
    {
        // A classifier needs a pooler: where neither its owner nor the model has one, it is missed by name.
        bool needed = owner.HasHead(Classifier, ClassifierKind) && !model.HasHead(name);
        return needed || owner.HasHead(name) ? new Pooler(owner.Linear(name, hidden, hidden, bias: true)) : null;
    }

    private static SequenceClassifier? BuildClassifier(ModuleBuilder owner, int hidden)
        => owner.HasHead(Classifier, ClassifierKind)
            ? new SequenceClassifier(null, owner.Linear(Classifier, owner.GetLabelCount(Classifier), hidden, bias: true))
            : null;
}

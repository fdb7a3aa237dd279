namespace Smile.ML.Networks.Encoders;

/// <summary>Builds <see cref="Bert"/> from a <c>bert</c> checkpoint, with or without the prefix <c>bert.</c></summary>
internal sealed class BertArchitecture : IArchitecture
{
    private const string Classifier = "classifier";

    public IReadOnlyList<string> ModelTypes { get; } = ["bert"];

    public Network Build(ModuleBuilder builder)
    {
        // Of the language models that BERT is pretrained as, the encoder is taken.
        builder.Config.RequireArchitecture("BertForSequenceClassification", "BertModel", "BertForMaskedLM", "BertForPreTraining");
        BertModules.RequireSupported(builder.Config);
        BertSizes sizes = BertSizes.Read(builder.Config, defaultVocabulary: 30522);
        string root = BertModules.FindRoot(builder, "bert.");
        BertEmbeddings embeddings = BertModules.Embeddings(builder, root, sizes);
        IReadOnlyList<PostNormLayer> layers = BertModules.Layers(builder, root, sizes.Hidden);
        bool classifies = builder.HasHead(Classifier, "ForSequenceClassification");
        string pooler = $"{root}pooler.dense";
        return new Bert(
            sizes,
            new PositionNumbering(null, sizes.Positions),
            embeddings,
            layers,
            classifies || builder.FindLinear(pooler) is not null ? new Pooler(builder.Linear(pooler, sizes.Hidden, sizes.Hidden, bias: true)) : null,
            classifies ? new BertHead(null, builder.Linear(Classifier, builder.Config.GetLabelCount(), sizes.Hidden, bias: true)) : null);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using static Microsoft.ML.SchemaShape.Column;

namespace Smile.ML;

/// <summary>
/// The columns that a model reads and adds: the network's output first, then for each classifier its scores and its predicted label, then
/// the generated ids, where they are asked for.
/// </summary>
internal sealed class SmileColumns
{
    private const string ScoreColumnSetId = "ScoreColumnSetId";
    private const string SlotNames = "SlotNames";
    private const string KeyValues = "KeyValues";
    private const string ScoreColumnKind = "ScoreColumnKind";
    private const string ScoreValueKind = "ScoreValueKind";

    /// <summary>The network input that holds a sequence's tokens.</summary>
    internal const string TokenIds = "input_ids";

    /// <summary>The network input that tells tokens, 1, from padding, 0.</summary>
    internal const string Mask = "attention_mask";

    private static readonly string[] PerToken = [TokenIds, Mask, "token_type_ids"];

    /// <summary>Lays the columns out.</summary>
    /// <param name="settings">What was asked for.</param>
    /// <param name="config">The network's configuration: names the classes of a classifier, and the token to pad with.</param>
    /// <param name="inputs">What the network takes.</param>
    /// <param name="outputs">What the network gives.</param>
    /// <param name="canGenerate">Whether the network is a language model.</param>
    /// <exception cref="SmileException">A name is empty or given twice, or network, columns and heads don't fit together.</exception>
    public SmileColumns(
        ColumnSettings settings, ModelConfig config, IReadOnlyList<NetworkPort> inputs, IReadOnlyList<NetworkPort> outputs, bool canGenerate)
    {
        Inputs = MapInputs(settings, inputs);
        Output = new OutputColumn(FindOutput(outputs, settings.NetworkOutput), settings.Pooling);
        Generation = settings.Generation;
        if (Generation is not null && !canGenerate)
        {
            throw new SmileException(
                $"Column {Generation.ColumnName} is to hold generated ids, but {config.ModelType} predicts no tokens; expected a language model.");
        }

        Heads = settings.Heads;
        foreach (TaskHead head in Heads.Where(head => head.EmbeddingSize != Output.Size || Output.Type.Dimensions.Length != 1))
        {
            throw new SmileException(
                $"Head {head.Name} takes embeddings of {head.EmbeddingSize} values; the network's output is {Output.Port.Describe()}"
                + (Output.Pooling is { } pooling ? $", pooled to {Output.Size} values ({pooling})." : "."));
        }

        IReadOnlyList<string>? own = NetworkClassifier.FindClassNames(config, Output.Port);
        Classifiers = [.. own is null ? [] : new[] { ClassifierColumns.Of(own) }, .. Heads.Select(ClassifierColumns.Of)];
        Names =
        [
            settings.OutputName,
            .. Classifiers.SelectMany(classifier => new[] { classifier.ScoreName, classifier.LabelName }),
            .. Generation is null ? [] : new[] { Generation.ColumnName },
        ];
        if (string.IsNullOrEmpty(settings.OutputName))
        {
            throw new SmileException("The output column is \"\"; expected a name.");
        }

        if (Names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } repeated)
        {
            throw new SmileException($"Two output columns are named {repeated.Key}; expected different names.");
        }

        // Padding is harmless where the network can be told of it, and where nothing that is fed has a length of its own.
        PadsTokens = Inputs[0].Port.Name == TokenIds
            && inputs.Any(port => port.Name == Mask)
            && Inputs.All(input => PerToken.Contains(input.Port.Name));
        MaskIndex = Inputs.ToList().FindIndex(input => input.Port.Name == Mask);
        int padding = config.GetInt32("pad_token_id", 0);
        PaddingId = padding >= 0 && padding < config.GetInt32("vocab_size", 0) ? padding : 0;
    }

    /// <summary>Gets the columns that are read, in the order of the network's inputs.</summary>
    public IReadOnlyList<InputColumn> Inputs { get; }

    /// <summary>Gets the network's output.</summary>
    public OutputColumn Output { get; }

    /// <summary>Gets the task heads.</summary>
    public IReadOnlyList<TaskHead> Heads { get; }

    /// <summary>Gets what classifies: the network itself where it does, then the task heads.</summary>
    public IReadOnlyList<ClassifierColumns> Classifiers { get; }

    /// <summary>Gets the column of generated ids, the last one; null where there is none.</summary>
    public GenerationSettings? Generation { get; }

    /// <summary>Gets the names of the columns that are added.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Gets a value indicating whether rows with different numbers of tokens can be padded to run together.</summary>
    public bool PadsTokens { get; }

    /// <summary>Gets the index of the mask among <see cref="Inputs"/>; -1 where no column holds it.</summary>
    public int MaskIndex { get; }

    /// <summary>Gets the token to pad with.</summary>
    public int PaddingId { get; }

    /// <summary>Promises the columns behind those of an input; the promise is kept by <see cref="Create"/>.</summary>
    /// <exception cref="SmileException">An input column is missing or can't be of the network's type.</exception>
    public SchemaShape Promise(SchemaShape input)
    {
        Dictionary<string, SchemaShape.Column> columns = input.ToDictionary(column => column.Name);
        foreach (InputColumn column in Inputs)
        {
            column.Check(columns);
        }

        columns[Names[0]] = Internals.ShapeColumn(
            Names[0], Output.Size is null ? VectorKind.VariableVector : VectorKind.Vector, NumberDataViewType.Single);
        foreach (ClassifierColumns classifier in Classifiers)
        {
            SchemaShape.Column[] score =
            [
                Internals.ShapeColumn(ScoreColumnSetId, VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true),
                Internals.ShapeColumn(ScoreColumnKind, VectorKind.Scalar, TextDataViewType.Instance),
                Internals.ShapeColumn(ScoreValueKind, VectorKind.Scalar, TextDataViewType.Instance),
            ];
            columns[classifier.ScoreName] = Internals.ShapeColumn(
                classifier.ScoreName,
                VectorKind.Vector,
                NumberDataViewType.Single,
                isKey: false,
                [Internals.ShapeColumn(SlotNames, VectorKind.Vector, TextDataViewType.Instance), .. score]);
            columns[classifier.LabelName] = Internals.ShapeColumn(
                classifier.LabelName,
                VectorKind.Scalar,
                NumberDataViewType.UInt32,
                isKey: true,
                [Internals.ShapeColumn(KeyValues, VectorKind.Vector, TextDataViewType.Instance), .. score]);
        }

        if (Generation is not null)
        {
            columns[Generation.ColumnName] = Internals.ShapeColumn(Generation.ColumnName, VectorKind.VariableVector, NumberDataViewType.Int64);
        }

        return new SchemaShape(columns.Values);
    }

    /// <summary>Finds the columns to read.</summary>
    /// <exception cref="SmileException">One is missing or not of the network's type.</exception>
    public IReadOnlyList<DataViewSchema.Column> FindInputs(DataViewSchema schema) => [.. Inputs.Select(input => input.Find(schema))];

    /// <summary>Makes the columns to add to a schema.</summary>
    public IEnumerable<DataViewSchema.DetachedColumn> Create(DataViewSchema input)
    {
        yield return new DataViewSchema.DetachedColumn(Names[0], Output.Type);
        uint setId = LastScoreColumnSet(input);
        foreach (ClassifierColumns classifier in Classifiers)
        {
            setId++;
            int classes = classifier.ClassNames.Count;
            yield return new DataViewSchema.DetachedColumn(
                classifier.ScoreName,
                new VectorDataViewType(NumberDataViewType.Single, classes),
                Annotate(SlotNames, classifier.ClassNames, setId, "Score"));
            yield return new DataViewSchema.DetachedColumn(
                classifier.LabelName,
                new KeyDataViewType(typeof(uint), classes),
                Annotate(KeyValues, classifier.ClassNames, setId, "PredictedLabel"));
        }

        if (Generation is not null)
        {
            yield return new DataViewSchema.DetachedColumn(Generation.ColumnName, new VectorDataViewType(NumberDataViewType.Int64));
        }
    }

    /// <summary>Gets the index, among the added columns, of a classifier's scores; its label stands behind them.</summary>
    public static int ScoreIndex(int classifier) => 1 + (2 * classifier);

    private static InputColumn[] MapInputs(ColumnSettings settings, IReadOnlyList<NetworkPort> ports)
    {
        if (settings.Inputs.Keys.FirstOrDefault(name => ports.All(port => port.Name != name)) is { } unknown)
        {
            throw new SmileException($"The network has no input {unknown}; it takes {string.Join(", ", ports.Select(port => port.Describe()))}.");
        }

        NetworkPort first = ports.First(port => !port.IsOptional);
        if (ports.FirstOrDefault(port => !port.IsOptional && port != first && !settings.Inputs.ContainsKey(port.Name)) is { } unfed)
        {
            throw new SmileException($"No column feeds the network's input {unfed.Describe()}; name one in {nameof(SmileOptions.Inputs)}.");
        }

        return [.. ports
            .Where(port => port == first || settings.Inputs.ContainsKey(port.Name))
            .Select(port => new InputColumn(port, settings.Inputs.GetValueOrDefault(port.Name, settings.InputName)))];
    }

    /// <summary>Finds the output that is named, else the first for which the inputs that are fed suffice.</summary>
    private NetworkPort FindOutput(IReadOnlyList<NetworkPort> outputs, string? name)
    {
        NetworkPort output = (name is null ? outputs.FirstOrDefault(IsFed) ?? outputs[0] : outputs.FirstOrDefault(port => port.Name == name))
            ?? throw new SmileException($"The network has no output {name}; it gives {string.Join(", ", outputs.Select(port => port.Name))}.");
        return IsFed(output)
            ? output
            : throw new SmileException(
                $"The network's output {output.Name} needs the input {output.NeededInput}, which no column feeds; name one in {nameof(SmileOptions.Inputs)}.");
    }

    private bool IsFed(NetworkPort output) => output.NeededInput is null || Inputs.Any(input => input.Port.Name == output.NeededInput);

    /// <summary>ML.NET's evaluators tell the score columns of several models apart by a number: the largest so far.</summary>
    private static uint LastScoreColumnSet(DataViewSchema schema)
    {
        uint last = 0;
        foreach (DataViewSchema.Column column in schema)
        {
            if (column.Annotations.Schema.GetColumnOrNull(ScoreColumnSetId) is { Type: KeyDataViewType type } && type.RawType == typeof(uint))
            {
                uint id = 0;
                column.Annotations.GetValue(ScoreColumnSetId, ref id);
                last = Math.Max(last, id);
            }
        }

        return last;
    }

    private static DataViewSchema.Annotations Annotate(string namesKind, IReadOnlyList<string> names, uint setId, string valueKind)
    {
        var annotations = new DataViewSchema.Annotations.Builder();
        annotations.Add(namesKind, new VectorDataViewType(TextDataViewType.Instance, names.Count), (ref VBuffer<ReadOnlyMemory<char>> value) =>
        {
            VBufferEditor<ReadOnlyMemory<char>> editor = VBufferEditor.Create(ref value, names.Count);
            for (int i = 0; i < names.Count; i++)
            {
                editor.Values[i] = names[i].AsMemory();
            }

            value = editor.Commit();
        });
        annotations.AddPrimitiveValue(ScoreColumnSetId, new KeyDataViewType(typeof(uint), int.MaxValue), setId);
        annotations.AddPrimitiveValue(ScoreColumnKind, TextDataViewType.Instance, "MulticlassClassification".AsMemory());
        annotations.AddPrimitiveValue(ScoreValueKind, TextDataViewType.Instance, valueKind.AsMemory());
        return annotations.ToAnnotations();
    }
}

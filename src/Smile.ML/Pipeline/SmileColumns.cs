using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Networks;
using static Microsoft.ML.SchemaShape.Column;

namespace Smile.ML;

/// <summary>
/// The columns that a fused model reads and adds: the network's output first, then for each head its scores and its predicted label.
/// </summary>
internal sealed class SmileColumns
{
    private const string ScoreColumnSetId = "ScoreColumnSetId";
    private const string SlotNames = "SlotNames";
    private const string KeyValues = "KeyValues";
    private const string ScoreColumnKind = "ScoreColumnKind";
    private const string ScoreValueKind = "ScoreValueKind";

    /// <summary>Lays the columns out.</summary>
    /// <param name="inputName">The column with the network's input.</param>
    /// <param name="outputName">The column for the network's output.</param>
    /// <param name="networkOutput">The network output to take; the first where null.</param>
    /// <param name="heads">The task heads.</param>
    /// <param name="inputs">What the network takes.</param>
    /// <param name="outputs">What the network gives.</param>
    /// <exception cref="SmileException">A name is empty or given twice, or network, output and heads don't fit together.</exception>
    public SmileColumns(
        string inputName,
        string outputName,
        string? networkOutput,
        IReadOnlyList<TaskHead> heads,
        IReadOnlyList<NetworkPort> inputs,
        IReadOnlyList<NetworkPort> outputs)
    {
        if (string.IsNullOrEmpty(inputName) || string.IsNullOrEmpty(outputName))
        {
            throw new SmileException($"The input column is \"{inputName}\", the output column \"{outputName}\"; expected names that are not empty.");
        }

        InputName = inputName;
        Heads = heads;
        Names = [outputName, .. heads.SelectMany(head => new[] { $"{head.Name}.Score", $"{head.Name}.PredictedLabel" })];
        if (Names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1) is { } repeated)
        {
            throw new SmileException($"Two output columns are named {repeated.Key}; expected heads of different names.");
        }

        Input = FindInput(inputs);
        Output = FindOutput(outputs, networkOutput);
        InputSize = Size(Input);
        OutputSize = Size(Output);
        foreach (TaskHead head in heads)
        {
            if (Output.Shape.Count != 1 || head.EmbeddingSize != OutputSize)
            {
                throw new SmileException(
                    $"Head {head.Name} takes embeddings of {head.EmbeddingSize} values; the network's {Output.Name} is [{string.Join(", ", Output.Shape)}].");
            }
        }
    }

    /// <summary>Gets the name of the column that is read.</summary>
    public string InputName { get; }

    /// <summary>Gets the names of the columns that are added.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Gets the task heads.</summary>
    public IReadOnlyList<TaskHead> Heads { get; }

    /// <summary>Gets the network's input.</summary>
    public NetworkPort Input { get; }

    /// <summary>Gets the network's output.</summary>
    public NetworkPort Output { get; }

    /// <summary>Gets the values of the input per row.</summary>
    public int InputSize { get; }

    /// <summary>Gets the values of the output per row.</summary>
    public int OutputSize { get; }

    /// <summary>Promises the columns behind those of an input; the promise is kept by <see cref="Create"/>.</summary>
    /// <exception cref="SmileException">The input column is missing or can't be of the network's type.</exception>
    public SchemaShape Promise(SchemaShape input)
    {
        Dictionary<string, SchemaShape.Column> columns = input.ToDictionary(column => column.Name);
        if (!columns.TryGetValue(InputName, out SchemaShape.Column found))
        {
            throw Mismatch("is missing", columns.Keys);
        }

        if (found.Kind != VectorKind.Vector || !NumberDataViewType.Single.Equals(found.ItemType) || found.IsKey)
        {
            throw Mismatch($"is {Describe(found)}");
        }

        columns[Names[0]] = Internals.ShapeColumn(Names[0], VectorKind.Vector, NumberDataViewType.Single);
        for (int h = 0; h < Heads.Count; h++)
        {
            SchemaShape.Column[] score =
            [
                Internals.ShapeColumn(ScoreColumnSetId, VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true),
                Internals.ShapeColumn(ScoreColumnKind, VectorKind.Scalar, TextDataViewType.Instance),
                Internals.ShapeColumn(ScoreValueKind, VectorKind.Scalar, TextDataViewType.Instance),
            ];
            string scoreName = Names[ScoreIndex(h)];
            columns[scoreName] = Internals.ShapeColumn(
                scoreName,
                VectorKind.Vector,
                NumberDataViewType.Single,
                isKey: false,
                [Internals.ShapeColumn(SlotNames, VectorKind.Vector, TextDataViewType.Instance), .. score]);
            string labelName = Names[LabelIndex(h)];
            columns[labelName] = Internals.ShapeColumn(
                labelName,
                VectorKind.Scalar,
                NumberDataViewType.UInt32,
                isKey: true,
                [Internals.ShapeColumn(KeyValues, VectorKind.Vector, TextDataViewType.Instance), .. score]);
        }

        return new SchemaShape(columns.Values);
    }

    /// <summary>Finds the column to read.</summary>
    /// <exception cref="SmileException">It is missing or not of the network's type.</exception>
    public DataViewSchema.Column FindInput(DataViewSchema schema)
    {
        DataViewSchema.Column column = schema.GetColumnOrNull(InputName)
            ?? throw Mismatch("is missing", schema.Where(column => !column.IsHidden).Select(column => column.Name));
        return column.Type is VectorDataViewType type && NumberDataViewType.Single.Equals(type.ItemType) && type.Size == InputSize
            ? column
            : throw Mismatch($"is {column.Type}");
    }

    /// <summary>Makes the columns to add to a schema.</summary>
    public IEnumerable<DataViewSchema.DetachedColumn> Create(DataViewSchema input)
    {
        yield return new DataViewSchema.DetachedColumn(Names[0], VectorOf(Output));
        uint setId = LastScoreColumnSet(input);
        for (int h = 0; h < Heads.Count; h++)
        {
            setId++;
            int classes = Heads[h].ClassNames.Count;
            yield return new DataViewSchema.DetachedColumn(
                Names[ScoreIndex(h)],
                new VectorDataViewType(NumberDataViewType.Single, classes),
                Annotate(SlotNames, Heads[h].ClassNames, setId, "Score"));
            yield return new DataViewSchema.DetachedColumn(
                Names[LabelIndex(h)],
                new KeyDataViewType(typeof(uint), classes),
                Annotate(KeyValues, Heads[h].ClassNames, setId, "PredictedLabel"));
        }
    }

    /// <summary>Gets the index, among the added columns, of a head's scores.</summary>
    public static int ScoreIndex(int head) => 1 + (2 * head);

    /// <summary>Gets the index, among the added columns, of a head's predicted label.</summary>
    public static int LabelIndex(int head) => 2 + (2 * head);

    private static NetworkPort FindInput(IReadOnlyList<NetworkPort> inputs)
    {
        // A network whose inputs are all optional takes any of them alone; the first one goes with its first output.
        NetworkPort[] required = [.. inputs.Where((port, i) => !port.IsOptional || (i == 0 && inputs.All(other => other.IsOptional)))];
        return required is [{ Type: Checkpoints.TensorType.F32 } input] && !input.Shape.Contains(-1)
            ? input
            : throw new SmileException($"The network takes {string.Join(", ", inputs.Select(Describe))}; a pipeline feeds networks with one F32 input of fixed shape.");
    }

    private static NetworkPort FindOutput(IReadOnlyList<NetworkPort> outputs, string? name)
    {
        NetworkPort output = (name is null ? outputs[0] : outputs.FirstOrDefault(port => port.Name == name))
            ?? throw new SmileException($"The network has no output {name}; it gives {string.Join(", ", outputs.Select(port => port.Name))}.");
        return !output.Shape.Contains(-1)
            ? output
            : throw new SmileException($"The network's output is {Describe(output)}; a pipeline takes outputs of fixed shape.");
    }

    private static int Size(NetworkPort port) => port.Shape.Aggregate(1, (size, dimension) => checked(size * dimension));

    private static VectorDataViewType VectorOf(NetworkPort port)
    {
        int[] shape = [.. port.Shape];
        return new VectorDataViewType(NumberDataViewType.Single, shape);
    }

    private static string Describe(NetworkPort port) => $"{port.Name} ({port.Type} [{string.Join(", ", port.Shape)}])";

    private static string Describe(SchemaShape.Column column)
    {
        string item = column.IsKey ? $"Key<{column.ItemType}>" : $"{column.ItemType}";
        return column.Kind switch
        {
            VectorKind.Scalar => item,
            VectorKind.Vector => $"Vector<{item}>",
            _ => $"Vector<{item}> of unknown size",
        };
    }

    private SmileException Mismatch(string found, IEnumerable<string>? columns = null)
        => new($"Column {InputName} {found}; expected {VectorOf(Input)}, {InputSize} values, for the network's {Input.Name}."
            + (columns is null ? "" : $" The columns are {string.Join(", ", columns)}."));

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

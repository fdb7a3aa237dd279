using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML;

// Loads a saved pipeline in a process of its own and scores rows with it, as an application would:
//   MODEL ROWS OUTPUT [register]
// ROWS holds the float32 values of the column Pixels, row by row; OUTPUT receives those of Embedding. The transformer is not disposed.
// or continues rows of tokens, ROWS and OUTPUT text with a row of ids a line, from the column Ids to GeneratedIds:
//   generate MODEL ROWS OUTPUT
// or saves the model over and over, to be killed at it:
//   save MODEL OUTPUT
var ml = new MLContext();
if (args is ["save", string source, string target])
{
    ITransformer saved = ml.Model.Load(source, out DataViewSchema savedSchema);
    while (true)
    {
        ml.Model.SaveAtomically(saved, savedSchema, target);
        Console.WriteLine("saved");
    }
}

if (args is ["generate", string generator, string prompts, string continuations])
{
    IDataView tokens = ml.Data.LoadFromEnumerable(File.ReadLines(prompts).Select(line => new Sequence { Ids = [.. line.Split(' ').Select(long.Parse)] }));
    IDataView continued = ml.Model.Load(generator, out _).Transform(tokens);
    File.WriteAllLines(continuations, continued.GetColumn<long[]>("GeneratedIds").Select(ids => string.Join(' ', ids)));
    return;
}

if (args is [.., "register"])
{
    Register(ml);
}

ITransformer model = ml.Model.Load(args[0], out DataViewSchema schema);
var definition = SchemaDefinition.Create(typeof(Row));
definition[nameof(Row.Pixels)].ColumnType = schema[nameof(Row.Pixels)].Type;
float[] values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(args[1])).ToArray();
IEnumerable<Row> rows = values.Chunk(((VectorDataViewType)schema[nameof(Row.Pixels)].Type).Size).Select(row => new Row { Pixels = row });
IDataView scored = model.Transform(ml.Data.LoadFromEnumerable(rows, definition));
float[] embeddings = [.. scored.GetColumn<float[]>("Embedding").SelectMany(row => row)];
File.WriteAllBytes(args[2], MemoryMarshal.AsBytes<float>(embeddings));

// Apart from Main, so that without it nothing of Smile.ML is loaded before the model is.
[MethodImpl(MethodImplOptions.NoInlining)]
static void Register(MLContext ml) => ml.RegisterSmile();

internal sealed class Row
{
    public float[] Pixels { get; set; } = [];
}

internal sealed class Sequence
{
    public long[] Ids { get; set; } = [];
}

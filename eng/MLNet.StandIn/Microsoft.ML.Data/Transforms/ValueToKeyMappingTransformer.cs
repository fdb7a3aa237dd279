using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ITransformer), typeof(ValueToKeyMappingTransformer), null, typeof(SignatureLoadModel), "To Key", ValueToKeyMappingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms;

/// <summary>Maps a value to its key; one not seen in training to the missing key.</summary>
public sealed class ValueToKeyMappingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "TermTransform";

    private readonly string _outputColumnName, _inputColumnName;
    private readonly KeyValues _values;

    internal ValueToKeyMappingTransformer(string outputColumnName, string inputColumnName, KeyValues values)
        => (_outputColumnName, _inputColumnName, _values) = (outputColumnName, inputColumnName, values);

    private static VersionInfo Version => TransformVersion.Of("TERMTRNF", LoaderSignature);

    private protected override RowMapper MakeRowMapper(DataViewSchema inputSchema)
    {
        var source = inputSchema.Find(_inputColumnName);
        if (!source.Type.Equals(_values.Type))
        {
            throw new InvalidOperationException($"The column '{source.Name}' was of type {_values.Type} when its keys were learnt; it is of type {source.Type} now.");
        }
        return RowMapper.Adding(
            inputSchema,
            new(new(_outputColumnName, _values.KeyType, _values.ToAnnotations()), [source.Index], row => _values.CreateKeyGetter(row, source)));
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(_outputColumnName);
        ctx.Writer.Write(_inputColumnName);
        TypeCodec.Write(ctx.Writer, _values.Type);
        _values.Write(ctx.Writer);
    }

    private static ITransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        string outputColumnName = ctx.Reader.ReadString(), inputColumnName = ctx.Reader.ReadString();
        var type = (PrimitiveDataViewType)TypeCodec.Read(ctx.Reader);
        var read = typeof(KeyValues<>).MakeGenericType(type.RawType).GetMethod(nameof(KeyValues<>.Read), BindingFlags.Static | BindingFlags.Public)
            .CreateDelegate<Func<BinaryReader, PrimitiveDataViewType, KeyValues>>();
        return new ValueToKeyMappingTransformer(outputColumnName, inputColumnName, read(ctx.Reader, type));
    }
}

using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ITransformer), typeof(KeyToValueMappingTransformer), null, typeof(SignatureLoadModel), "Key To Value", KeyToValueMappingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms;

/// <summary>Maps a key to what it stands for by the column's KeyValues annotation.</summary>
public sealed class KeyToValueMappingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "KeyToValueTransform";

    private static readonly MethodInfo TypedBind
        = typeof(KeyToValueMappingTransformer).GetMethod(nameof(Bind), BindingFlags.Static | BindingFlags.NonPublic);

    internal KeyToValueMappingTransformer(string outputColumnName, string inputColumnName)
        => (OutputColumnName, InputColumnName) = (outputColumnName, inputColumnName);

    internal string OutputColumnName { get; }

    internal string InputColumnName { get; }

    private static VersionInfo Version => TransformVersion.Of("KEY2VALT", LoaderSignature);

    private protected override RowMapper MakeRowMapper(DataViewSchema inputSchema)
    {
        var source = inputSchema.Find(InputColumnName);
        if (source.Type is not KeyDataViewType key || key.RawType != typeof(uint)
            || source.Annotations.Schema.GetColumnOrNull(AnnotationKinds.KeyValues)?.Type is not VectorDataViewType values)
        {
            throw new InvalidOperationException($"The column '{source.Name}' is no UInt32 key with key values, but of type {source.Type}.");
        }
        var bind = TypedBind.MakeGenericMethod(values.ItemType.RawType)
            .CreateDelegate<Func<DataViewSchema.Column, Func<DataViewRow, Delegate>>>();
        return RowMapper.Adding(inputSchema, new(new(OutputColumnName, values.ItemType), [source.Index], bind(source)));
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(OutputColumnName);
        ctx.Writer.Write(InputColumnName);
    }

    private static ITransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        return new KeyToValueMappingTransformer(ctx.Reader.ReadString(), ctx.Reader.ReadString());
    }

    private static Func<DataViewRow, Delegate> Bind<T>(DataViewSchema.Column source)
    {
        VBuffer<T> buffer = default;
        source.GetKeyValues(ref buffer);
        T[] values = [.. buffer.DenseValues()];
        return row =>
        {
            var getter = row.GetGetter<uint>(source);
            uint key = 0;
            return (ValueGetter<T>)((ref T value) =>
            {
                getter(ref key);
                value = key > 0 && key <= values.Length ? values[key - 1] : KeyValues.Missing<T>();
            });
        };
    }
}

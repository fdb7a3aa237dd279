using System.Globalization;
using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

[assembly: LoadableClass(typeof(ITransformer), typeof(ColumnConcatenatingTransformer), null, typeof(SignatureLoadModel), "Concat", ColumnConcatenatingTransformer.LoaderSignature)]

namespace Microsoft.ML.Data;

/// <summary>Scalars and vectors of one item type, one after the other, as one dense vector.</summary>
public sealed class ColumnConcatenatingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "ConcatTransform";

    private static readonly MethodInfo TypedConcatenate
        = typeof(ColumnConcatenatingTransformer).GetMethod(nameof(Concatenate), BindingFlags.Static | BindingFlags.NonPublic);

    internal ColumnConcatenatingTransformer(string outputColumnName, string[] inputColumnNames)
    {
        if (inputColumnNames is null or [])
        {
            throw new ArgumentOutOfRangeException(nameof(inputColumnNames), "There is nothing to concatenate.");
        }
        (OutputColumnName, InputColumnNames) = (outputColumnName, inputColumnNames);
    }

    internal string OutputColumnName { get; }

    internal string[] InputColumnNames { get; }

    private static VersionInfo Version => TransformVersion.Of("CONCATCL", LoaderSignature);

    private protected override RowMapper MakeRowMapper(DataViewSchema inputSchema)
    {
        DataViewSchema.Column[] sources = [.. InputColumnNames.Select(inputSchema.Find)];
        var itemType = ItemType(sources[0]) as PrimitiveDataViewType
            ?? throw SchemaErrors.Mismatch(sources[0].Name, "a primitive type or a vector of one", sources[0].Type.ToString());
        int size = 0;
        bool isVariable = false;
        foreach (var source in sources)
        {
            if (!itemType.Equals(ItemType(source)))
            {
                throw SchemaErrors.Mismatch(source.Name, itemType.ToString(), source.Type.ToString());
            }
            size += source.Type is VectorDataViewType vector ? vector.Size : 1;
            isVariable |= source.Type is VectorDataViewType { IsKnownSize: false };
        }

        var type = new VectorDataViewType(itemType, isVariable ? 0 : size);
        var annotations = isVariable ? null : SlotNames(sources, size);
        var concatenate = TypedConcatenate.MakeGenericMethod(itemType.RawType)
            .CreateDelegate<Func<DataViewRow, DataViewSchema.Column[], Delegate>>();
        return RowMapper.Adding(
            inputSchema,
            new(new(OutputColumnName, type, annotations), [.. sources.Select(source => source.Index)], row => concatenate(row, sources)));
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(OutputColumnName);
        ctx.Writer.WriteStrings(InputColumnNames);
    }

    private static ITransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        return new ColumnConcatenatingTransformer(ctx.Reader.ReadString(), ctx.Reader.ReadStrings());
    }

    private static DataViewType ItemType(DataViewSchema.Column column) => (column.Type as VectorDataViewType)?.ItemType ?? column.Type;

    private static ValueGetter<VBuffer<T>> Concatenate<T>(DataViewRow row, DataViewSchema.Column[] sources)
    {
        ValueGetter<VBuffer<T>>[] getters = [.. sources.Select(source => VectorGetter<T>(row, source))];
        var parts = new VBuffer<T>[getters.Length];
        return (ref VBuffer<T> destination) =>
        {
            int length = 0;
            for (int i = 0; i < parts.Length; i++)
            {
                getters[i](ref parts[i]);
                length += parts[i].Length;
            }
            var editor = VBufferEditor.Create(ref destination, length);
            int offset = 0;
            foreach (ref readonly var part in parts.AsSpan())
            {
                part.CopyTo(editor.Values, offset);
                offset += part.Length;
            }
            destination = editor.Commit();
        };
    }

    private static ValueGetter<VBuffer<T>> VectorGetter<T>(DataViewRow row, DataViewSchema.Column source)
    {
        if (source.Type is VectorDataViewType)
        {
            return row.GetGetter<VBuffer<T>>(source);
        }
        var getter = row.GetGetter<T>(source);
        return (ref VBuffer<T> destination) =>
        {
            var editor = VBufferEditor.Create(ref destination, 1);
            getter(ref editor.Values[0]);
            destination = editor.Commit();
        };
    }

    /// <summary>A scalar's slot has the column's name, a named slot of a vector "column.slot", an unnamed one the empty name.</summary>
    private static DataViewSchema.Annotations SlotNames(DataViewSchema.Column[] sources, int size)
    {
        if (!sources.Any(source => source.Type is not VectorDataViewType || source.HasSlotNames()))
        {
            return null;
        }
        var names = new List<string>(size);
        foreach (var source in sources)
        {
            if (source.Type is not VectorDataViewType vector)
            {
                names.Add(source.Name);
            }
            else if (!source.HasSlotNames())
            {
                names.AddRange(Enumerable.Repeat("", vector.Size));
            }
            else
            {
                VBuffer<ReadOnlyMemory<char>> slots = default;
                source.GetSlotNames(ref slots);
                names.AddRange(slots.DenseValues().Select(slot => slot.IsEmpty ? "" : string.Create(CultureInfo.InvariantCulture, $"{source.Name}.{slot}")));
            }
        }
        ReadOnlyMemory<char>[] values = [.. names.Select(name => name.AsMemory())];
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(
            AnnotationKinds.SlotNames,
            new VectorDataViewType(TextDataViewType.Instance, size),
            (ref VBuffer<ReadOnlyMemory<char>> destination) => VBuffer<ReadOnlyMemory<char>>.Copy(values, 0, ref destination, size));
        return builder.ToAnnotations();
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ITransformer), typeof(ColumnSelectingTransformer), null, typeof(SignatureLoadModel), "Select Columns", ColumnSelectingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms;

/// <summary>Keeps the named columns, in the order named, or drops them.</summary>
public sealed class ColumnSelectingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "SelectColumnsTransform";

    internal ColumnSelectingTransformer(string[] columnNames, bool keep, bool keepHidden)
        => (ColumnNames, Keep, KeepHidden) = (columnNames, keep, keepHidden);

    internal string[] ColumnNames { get; }

    internal bool Keep { get; }

    internal bool KeepHidden { get; }

    private static VersionInfo Version => TransformVersion.Of("SELCOLMN", LoaderSignature);

    private protected override RowMapper MakeRowMapper(DataViewSchema inputSchema)
    {
        foreach (string name in ColumnNames)
        {
            inputSchema.Find(name);
        }
        var candidates = inputSchema.Where(column => KeepHidden || !column.IsHidden);
        var kept = Keep
            ? ColumnNames.SelectMany(name => candidates.Where(column => column.Name == name))
            : candidates.Where(column => !ColumnNames.Contains(column.Name));
        return new(inputSchema, kept.Select(MappedColumn.PassThrough));
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        ctx.Writer.Write(Keep);
        ctx.Writer.Write(KeepHidden);
        ctx.Writer.WriteStrings(ColumnNames);
    }

    private static ITransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        bool keep = ctx.Reader.ReadBoolean(), keepHidden = ctx.Reader.ReadBoolean();
        return new ColumnSelectingTransformer(ctx.Reader.ReadStrings(), keep, keepHidden);
    }
}

using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms;

[assembly: LoadableClass(typeof(ITransformer), typeof(ColumnCopyingTransformer), null, typeof(SignatureLoadModel), "Copy Columns", ColumnCopyingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms;

public sealed class ColumnCopyingTransformer : RowToRowTransformerBase
{
    internal const string LoaderSignature = "CopyTransform";

    internal ColumnCopyingTransformer(string outputColumnName, string inputColumnName)
        => (OutputColumnName, InputColumnName) = (outputColumnName, inputColumnName);

    internal string OutputColumnName { get; }

    internal string InputColumnName { get; }

    private static VersionInfo Version => TransformVersion.Of("COPYCOLS", LoaderSignature);

    private protected override RowMapper MakeRowMapper(DataViewSchema inputSchema)
    {
        var source = inputSchema.Find(InputColumnName);
        return RowMapper.Adding(inputSchema, new(new(OutputColumnName, source.Type, source.Annotations), [source.Index]));
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
        return new ColumnCopyingTransformer(ctx.Reader.ReadString(), ctx.Reader.ReadString());
    }
}

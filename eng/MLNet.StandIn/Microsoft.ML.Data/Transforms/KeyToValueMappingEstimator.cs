using Microsoft.ML.Data;
using static Microsoft.ML.SchemaShape.Column;

namespace Microsoft.ML.Transforms;

public sealed class KeyToValueMappingEstimator : TrivialEstimator<KeyToValueMappingTransformer>
{
    internal KeyToValueMappingEstimator(string outputColumnName, string inputColumnName)
        : base(new KeyToValueMappingTransformer(outputColumnName, inputColumnName ?? outputColumnName))
    {
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        var source = inputSchema.Find(Transformer.InputColumnName);
        if (!source.IsKey || source.Kind != VectorKind.Scalar
            || !source.Annotations.TryFindColumn(AnnotationKinds.KeyValues, out var values) || values.Kind != VectorKind.Vector)
        {
            throw SchemaErrors.Mismatch(source.Name, "a key with key values", source.GetTypeString());
        }
        return inputSchema.With(new(Transformer.OutputColumnName, VectorKind.Scalar, values.ItemType, values.IsKey));
    }
}

using Microsoft.ML.Data;
using static Microsoft.ML.SchemaShape.Column;

namespace Microsoft.ML.Transforms;

public sealed class ColumnConcatenatingEstimator : IEstimator<ColumnConcatenatingTransformer>
{
    private readonly ColumnConcatenatingTransformer _transformer;

    internal ColumnConcatenatingEstimator(string outputColumnName, params string[] inputColumnNames)
        => _transformer = new(outputColumnName, inputColumnNames);

    public ColumnConcatenatingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        // Reports a schema that does not fit.
        _transformer.GetOutputSchema(input.Schema);
        return _transformer;
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        SchemaShape.Column[] sources = [.. _transformer.InputColumnNames.Select(inputSchema.Find)];
        var first = sources[0];
        foreach (var source in sources)
        {
            if (source.ItemType != first.ItemType || source.IsKey)
            {
                throw new InvalidOperationException($"Cannot concatenate '{source.Name}' of type {source.GetTypeString()} with items of type {first.ItemType}.");
            }
        }
        bool isVariable = sources.Any(source => source.Kind == VectorKind.VariableVector);
        bool isNamed = !isVariable && sources.Any(source => source.Kind == VectorKind.Scalar || source.Annotations.TryFindColumn(AnnotationKinds.SlotNames, out _));
        var annotations = isNamed
            ? new SchemaShape([new(AnnotationKinds.SlotNames, VectorKind.Vector, TextDataViewType.Instance, false)])
            : null;
        return inputSchema.With(new(
            _transformer.OutputColumnName, isVariable ? VectorKind.VariableVector : VectorKind.Vector, first.ItemType, false, annotations));
    }
}

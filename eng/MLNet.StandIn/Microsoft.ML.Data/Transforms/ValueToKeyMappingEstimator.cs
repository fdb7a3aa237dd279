using System.Reflection;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using static Microsoft.ML.SchemaShape.Column;

namespace Microsoft.ML.Transforms;

/// <summary>Learns the distinct values of a scalar column.</summary>
public sealed class ValueToKeyMappingEstimator : IEstimator<ValueToKeyMappingTransformer>
{
    private static readonly MethodInfo TypedLearn
        = typeof(ValueToKeyMappingEstimator).GetMethod(nameof(Learn), BindingFlags.Instance | BindingFlags.NonPublic);

    private readonly IHost _host;
    private readonly string _outputColumnName, _inputColumnName;
    private readonly int _maximumNumberOfKeys;
    private readonly KeyOrdinality _keyOrdinality;

    internal ValueToKeyMappingEstimator(
        IHostEnvironment env, string outputColumnName, string inputColumnName, int maximumNumberOfKeys, KeyOrdinality keyOrdinality)
    {
        _host = env.Register(nameof(ValueToKeyMappingEstimator));
        (_outputColumnName, _inputColumnName) = (outputColumnName, inputColumnName ?? outputColumnName);
        (_maximumNumberOfKeys, _keyOrdinality) = (maximumNumberOfKeys, keyOrdinality);
    }

    /// <summary>The order of the keys.</summary>
    public enum KeyOrdinality : byte
    {
        ByOccurrence = 0,
        ByValue = 1,
    }

    public ValueToKeyMappingTransformer Fit(IDataView input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var source = input.Schema.Find(_inputColumnName);
        if (source.Type is not PrimitiveDataViewType type || type is KeyDataViewType)
        {
            throw SchemaErrors.Mismatch(_inputColumnName, "a primitive type", source.Type.ToString());
        }
        var learn = TypedLearn.MakeGenericMethod(type.RawType).CreateDelegate<Func<IDataView, DataViewSchema.Column, ValueToKeyMappingTransformer>>(this);
        return learn(input, source);
    }

    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        var source = inputSchema.Find(_inputColumnName);
        if (source.Kind != VectorKind.Scalar || source.IsKey || source.ItemType is not PrimitiveDataViewType)
        {
            throw SchemaErrors.Mismatch(_inputColumnName, "a primitive type", source.GetTypeString());
        }
        var annotations = new SchemaShape([new(AnnotationKinds.KeyValues, VectorKind.Vector, source.ItemType, false)]);
        return inputSchema.With(new(_outputColumnName, VectorKind.Scalar, NumberDataViewType.UInt32, true, annotations));
    }

    private ValueToKeyMappingTransformer Learn<T>(IDataView input, DataViewSchema.Column source)
    {
        using var channel = _host.Start("Fit");
        var seen = new HashSet<T>(KeyValues.Equality<T>());
        var values = new List<T>();
        using (var cursor = input.GetRowCursor([source]))
        {
            var getter = cursor.GetGetter<T>(source);
            T value = default;
            while (values.Count < _maximumNumberOfKeys && cursor.MoveNext())
            {
                _host.CheckAlive();
                getter(ref value);
                if (!KeyValues.IsMissing(value) && seen.Add(value))
                {
                    values.Add(value);
                }
            }
        }
        if (values.Count == 0)
        {
            throw new InvalidOperationException($"The column '{_inputColumnName}' holds no values to map to keys.");
        }
        if (_keyOrdinality == KeyOrdinality.ByValue)
        {
            values.Sort(KeyValues.Order<T>());
        }
        channel.Trace(MessageSensitivity.None, "{0} keys", values.Count);
        return new(_outputColumnName, _inputColumnName, new KeyValues<T>((PrimitiveDataViewType)source.Type, [.. values]));
    }
}

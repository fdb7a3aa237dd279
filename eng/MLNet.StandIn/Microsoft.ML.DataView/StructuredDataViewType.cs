namespace Microsoft.ML.Data;

/// <summary>A type whose values hold other values or resources, e.g. a vector or an image.</summary>
public abstract class StructuredDataViewType : DataViewType
{
    protected StructuredDataViewType(Type rawType)
        : base(rawType)
    {
    }
}

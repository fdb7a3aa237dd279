namespace Microsoft.ML.Data;

/// <summary>A type whose values can be kept by plain assignment.</summary>
public abstract class PrimitiveDataViewType : DataViewType
{
    protected PrimitiveDataViewType(Type rawType)
        : base(rawType)
    {
        if (typeof(IDisposable).IsAssignableFrom(rawType))
        {
            throw new ArgumentException($"The raw type of a primitive type must not be disposable, but {rawType} is.", nameof(rawType));
        }
    }
}

namespace Microsoft.ML.Data;

internal sealed class VectorColumnValues<T> : ColumnValues
{
    private readonly List<VBuffer<T>> _values = [];

    public override Action CreateAppender(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<VBuffer<T>>(column);
        return () =>
        {
            VBuffer<T> value = default;
            getter(ref value);
            _values.Add(value);
        };
    }

    public override Delegate CreateGetter(Func<int> index)
        => (ValueGetter<VBuffer<T>>)((ref VBuffer<T> destination) => _values[index()].CopyTo(ref destination));
}

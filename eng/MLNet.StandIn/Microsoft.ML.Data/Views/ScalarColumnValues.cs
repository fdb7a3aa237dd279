namespace Microsoft.ML.Data;

internal sealed class ScalarColumnValues<T> : ColumnValues
{
    private readonly List<T> _values = [];

    public override Action CreateAppender(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        return () =>
        {
            T value = default;
            getter(ref value);
            _values.Add(value);
        };
    }

    public override Delegate CreateGetter(Func<int> index) => (ValueGetter<T>)((ref T destination) => destination = _values[index()]);
}

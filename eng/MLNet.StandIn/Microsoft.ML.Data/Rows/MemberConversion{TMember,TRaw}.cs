namespace Microsoft.ML.Data;

internal abstract class MemberConversion<TMember, TRaw> : MemberConversion
{
    public sealed override Delegate CreateGetter<TRow>(RowMember member, Func<TRow> current)
    {
        var read = member.Reader<TRow, TMember>();
        return (ValueGetter<TRaw>)((ref TRaw destination) => ToRaw(read(current()), ref destination));
    }

    public sealed override Action<TRow> CreateSetter<TRow>(RowMember member, DataViewRow row, DataViewSchema.Column column)
    {
        var write = member.Writer<TRow, TMember>();
        var get = Reader(row, column);
        return target => write(target, get());
    }

    public sealed override Delegate ConstantGetter(object value)
        => (ValueGetter<TRaw>)((ref TRaw destination) => ToRaw((TMember)value, ref destination));

    public sealed override Delegate CreateReader(DataViewRow row, DataViewSchema.Column column) => Reader(row, column);

    protected abstract void ToRaw(TMember value, ref TRaw raw);

    /// <summary>A value that shares nothing with the raw one, which is about to be overwritten.</summary>
    protected abstract TMember FromRaw(ref TRaw raw);

    private Func<TMember> Reader(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<TRaw>(column);
        TRaw buffer = default;
        return () =>
        {
            getter(ref buffer);
            return FromRaw(ref buffer);
        };
    }
}

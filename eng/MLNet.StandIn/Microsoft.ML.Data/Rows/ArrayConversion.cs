namespace Microsoft.ML.Data;

internal sealed class ArrayConversion<T> : MemberConversion<T[], VBuffer<T>>
{
    protected override void ToRaw(T[] value, ref VBuffer<T> raw) => VBuffer<T>.Copy(value, 0, ref raw, value?.Length ?? 0);

    protected override T[] FromRaw(ref VBuffer<T> raw)
    {
        var array = new T[raw.Length];
        raw.CopyTo(array);
        return array;
    }
}

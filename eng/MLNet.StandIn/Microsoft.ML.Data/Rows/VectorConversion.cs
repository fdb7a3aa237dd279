namespace Microsoft.ML.Data;

internal sealed class VectorConversion<T> : MemberConversion<VBuffer<T>, VBuffer<T>>
{
    protected override void ToRaw(VBuffer<T> value, ref VBuffer<T> raw) => value.CopyTo(ref raw);

    protected override VBuffer<T> FromRaw(ref VBuffer<T> raw)
    {
        VBuffer<T> copy = default;
        raw.CopyTo(ref copy);
        return copy;
    }
}

namespace Microsoft.ML.Data;

internal sealed class SameTypeConversion<T> : MemberConversion<T, T>
{
    protected override void ToRaw(T value, ref T raw) => raw = value;

    protected override T FromRaw(ref T raw) => raw;
}

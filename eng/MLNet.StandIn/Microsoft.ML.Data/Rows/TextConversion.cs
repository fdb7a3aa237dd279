namespace Microsoft.ML.Data;

internal sealed class TextConversion : MemberConversion<string, ReadOnlyMemory<char>>
{
    protected override void ToRaw(string value, ref ReadOnlyMemory<char> raw) => raw = value.AsMemory();

    protected override string FromRaw(ref ReadOnlyMemory<char> raw) => raw.ToString();
}

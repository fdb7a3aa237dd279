namespace Microsoft.ML.Data;

internal sealed class TextArrayConversion : MemberConversion<string[], VBuffer<ReadOnlyMemory<char>>>
{
    protected override void ToRaw(string[] value, ref VBuffer<ReadOnlyMemory<char>> raw)
    {
        var editor = VBufferEditor.Create(ref raw, value?.Length ?? 0);
        for (int i = 0; i < editor.Values.Length; i++)
        {
            editor.Values[i] = value[i].AsMemory();
        }
        raw = editor.Commit();
    }

    protected override string[] FromRaw(ref VBuffer<ReadOnlyMemory<char>> raw) => [.. raw.DenseValues().Select(text => text.ToString())];
}

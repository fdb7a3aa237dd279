using System.Text;

namespace Smile.ML.Tool;

/// <summary>Writes to another writer as long as that can be written to. What is said on stderr is not worth failing for.</summary>
internal sealed class ForgivingWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    /// <summary>Puts stderr behind a forgiving writer, which everything then writes to.</summary>
    public static void ReplaceError() => Console.SetError(new ForgivingWriter(Console.Error));

    public override void Write(char value) => Try(() => inner.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    public override void Write(string? value) => Try(() => inner.Write(value));

    public override void WriteLine(string? value) => Try(() => inner.WriteLine(value));

    public override void Flush() => Try(inner.Flush);

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            // A full disk or a closed pipe: there is no other place to tell it.
        }
    }
}

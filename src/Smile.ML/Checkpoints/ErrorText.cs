using System.Globalization;
using System.Text;

namespace Smile.ML.Checkpoints;

/// <summary>Shows text from a file in an error message, where it may be long or unprintable.</summary>
internal static class ErrorText
{
    private const int MaxLength = 200;

    /// <summary>Quotes text, cut to a readable length, its control characters replaced.</summary>
    public static string Quote(string text) => $"'{Clip(text)}'";

    /// <summary>Cuts text to a readable length and replaces its control characters.</summary>
    public static string Clip(string text) => Printable(text.AsSpan(0, Math.Min(text.Length, MaxLength))) + (text.Length > MaxLength ? "..." : string.Empty);

    /// <summary>Replaces what a terminal would take for a command, or a reader not see: control and format characters, and halves of surrogate pairs.</summary>
    public static string Printable(ReadOnlySpan<char> text)
    {
        var printable = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            // EnumerateRunes has replaced the halves of pairs.
            bool hidden = Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
            printable.Append((hidden ? Rune.ReplacementChar : rune).ToString());
        }

        return printable.ToString();
    }

    /// <summary>Cuts UTF-8 text to a readable length and replaces what is not printable.</summary>
    public static string Clip(ReadOnlySpan<byte> utf8) => Clip(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, MaxLength + 1)]));
}

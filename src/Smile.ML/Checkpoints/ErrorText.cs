using System.Text;

namespace Smile.ML.Checkpoints;

/// <summary>Shows text from a file in an error message, where it may be long or unprintable.</summary>
internal static class ErrorText
{
    private const int MaxLength = 200;

    /// <summary>Quotes text, cut to a readable length, its control characters replaced.</summary>
    public static string Quote(string text) => $"'{Clip(text)}'";

    /// <summary>Cuts text to a readable length and replaces its control characters.</summary>
    public static string Clip(string text)
    {
        var clipped = new StringBuilder();
        foreach (char character in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
        {
            clipped.Append(char.IsControl(character) ? '\uFFFD' : character);
        }

        return clipped.Append(text.Length > MaxLength ? "..." : string.Empty).ToString();
    }

    /// <summary>Cuts UTF-8 text to a readable length and replaces what is not printable.</summary>
    public static string Clip(ReadOnlySpan<byte> utf8) => Clip(Encoding.UTF8.GetString(utf8[..Math.Min(utf8.Length, MaxLength + 1)]));
}

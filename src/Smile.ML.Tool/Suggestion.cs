namespace Smile.ML.Tool;

/// <summary>Guesses which name was meant by one that there isn't.</summary>
internal static class Suggestion
{
    /// <summary>Gets " Did you mean NAME?" for the nearest of the names, or nothing where none is near.</summary>
    public static string For(string typed, IEnumerable<string> names)
        => names.Select(name => (Name: name, Distance: Distance(typed, name))).OrderBy(pair => pair.Distance).FirstOrDefault() is { Name: { } nearest } found
            && found.Distance <= Math.Max(1, typed.Length / 3)
            ? $" Did you mean {nearest}?"
            : "";

    /// <summary>Levenshtein's distance: insertions, deletions and replacements of a letter that turn one text into the other.</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}

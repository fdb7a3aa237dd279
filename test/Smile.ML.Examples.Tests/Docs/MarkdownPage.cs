using System.Text.RegularExpressions;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>
/// A page of the documentation: its headings, links and blocks. A comment in the line before a block, which readers don't see, may say
/// what it is; a comment that starts with <c>csharp</c> holds lines of the page's program that are not shown.
/// </summary>
internal sealed partial class MarkdownPage
{
    private MarkdownPage(string name, string text)
    {
        Name = name;
        (Blocks, Prose) = Parse(text);
        Headings = [.. Prose.Where(line => line.StartsWith('#')).Select(line => line.TrimStart('#').Trim())];
    }

    /// <summary>Gets the path from the repository's root.</summary>
    public string Name { get; }

    public IReadOnlyList<MarkdownBlock> Blocks { get; }

    /// <summary>Gets the lines that are in no block.</summary>
    public IReadOnlyList<string> Prose { get; }

    public IReadOnlyList<string> Headings { get; }

    /// <summary>Gets the targets of links and images.</summary>
    public IEnumerable<string> Links => Prose.SelectMany(line => Link().Matches(line).Select(match => match.Groups[1].Value));

    /// <summary>Gets what is set as code within sentences and tables.</summary>
    public IEnumerable<string> InlineCode => Prose.SelectMany(line => Code().Matches(line).Select(match => match.Groups[1].Value));

    /// <summary>Gets whether the tests run the page's programs, not only compile them.</summary>
    public bool IsRun => RunsCommands || Prose.Contains("<!-- run the program -->");

    /// <summary>Gets whether they run its commands as well.</summary>
    public bool RunsCommands => Prose.Contains("<!-- run -->");

    public static MarkdownPage Read(string name) => new(name, File.ReadAllText(Repository.PathOf(name)).ReplaceLineEndings("\n"));

    /// <summary>Gets the names of all pages.</summary>
    public static IEnumerable<string> All()
        => Directory.EnumerateFiles(Repository.Root, "*.md")
            .Concat(new[] { "docs", "examples", Path.Combine("eng", "MLNet.StandIn") }
                .SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.md", SearchOption.AllDirectories)))
            .Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'))
            .Where(name => !name.Contains("/bin/", StringComparison.Ordinal) && !name.Contains("/obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    /// <summary>Gets the name under which a heading can be linked to.</summary>
    public static string Anchor(string heading)
        => NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    private static (List<MarkdownBlock> Blocks, List<string> Prose) Parse(string text)
    {
        var blocks = new List<MarkdownBlock>();
        var prose = new List<string>();
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            int first = i + 1;
            string comment = LastComment(prose);
            if (lines[i].StartsWith("```", StringComparison.Ordinal))
            {
                string language = lines[i][3..].Trim();
                int end = Array.IndexOf(lines, "```", i + 1);
                Assert.IsGreaterThan(i, end, $"line {first}: a block that doesn't end");
                blocks.Add(new MarkdownBlock(language, comment, first + 1, string.Join('\n', lines[(i + 1)..end])));
                i = end;
            }
            else if (lines[i].StartsWith("<!-- csharp", StringComparison.Ordinal))
            {
                int end = Array.FindIndex(lines, i, line => line.EndsWith("-->", StringComparison.Ordinal));
                blocks.Add(new MarkdownBlock("csharp", comment, first + 1, string.Join('\n', lines[(i + 1)..end])));
                i = end;
            }
            else if (lines[i].StartsWith("    ", StringComparison.Ordinal) && (i == 0 || lines[i - 1].Length == 0))
            {
                int end = i;
                while (end < lines.Length && lines[end].StartsWith("    ", StringComparison.Ordinal))
                {
                    end++;
                }

                // Indented blocks hold commands, or what a command prints.
                blocks.Add(new MarkdownBlock("", comment, first, string.Join('\n', lines[i..end].Select(line => line[4..]))));
                i = end - 1;
            }
            else
            {
                prose.Add(lines[i]);
                continue;
            }

            prose.Add("");
        }

        return (blocks, prose);
    }

    private static string LastComment(List<string> prose)
        => prose.Count > 0 && Comment().Match(prose[^1]) is { Success: true } match ? match.Groups[1].Value : "";

    [GeneratedRegex(@"(?<!\\)\]\(([^()\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("^<!-- (.*) -->$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();
}

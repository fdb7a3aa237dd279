using System.Text;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>Takes blocks of shell commands apart: continued lines, comments, quotes, variables before a command.</summary>
internal static class CommandLine
{
    /// <summary>Reads a block's commands, each as its words.</summary>
    public static IEnumerable<string[]> Read(string block)
        => block.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n')
            .SelectMany(line => line.Split(" && "))
            .Select(Words)
            .Where(words => words.Length > 0);

    /// <summary>Gets the arguments of the <c>smile</c> command, installed or run from its project; null for another command.</summary>
    public static string[]? SmileArguments(string[] words) => words switch
    {
        ["smile", .. var arguments] => arguments,
        ["dotnet", "run", .. var options] when options.SkipWhile(word => word != "--").Skip(1).ToArray() is var arguments
            && options.SkipLast(arguments.Length).Contains("src/Smile.ML.Tool") => arguments,
        _ => null,
    };

    private static string[] Words(string line)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        char quote = '\0';
        bool any = false;
        foreach (char letter in line + " ")
        {
            if (quote != '\0')
            {
                if (letter == quote)
                {
                    quote = '\0';
                }
                else
                {
                    word.Append(letter);
                }
            }
            else if (letter is '"' or '\'')
            {
                (quote, any) = (letter, true);
            }
            else if (letter is ' ')
            {
                if (any || word.Length > 0)
                {
                    words.Add(word.ToString());
                }

                word.Clear();
                any = false;
            }
            else if ((letter is '#' or '>' or '|') && word.Length == 0)
            {
                // A comment, or where the output goes.
                break;
            }
            else
            {
                word.Append(letter);
            }
        }

        return [.. words.SkipWhile(variable => variable.IndexOf('=', StringComparison.Ordinal) > 0 && variable.All(letter => letter is '=' or '_' || char.IsAsciiLetterOrDigit(letter)))];
    }
}

using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Smile.ML.Tool;

/// <summary>Makes options that read and check their values at once, and finds what the parser itself lets pass.</summary>
internal static class Arguments
{
    /// <summary>An option for a whole number of at least 1, with a default.</summary>
    public static Option<int> Number(string name, string description, int fallback) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => fallback,
        CustomParser = result => ParseNumber(result, int.MaxValue) ?? 0,
    };

    /// <summary>An option for a whole number from 1 to a limit, which may be left out.</summary>
    public static Option<int?> OptionalNumber(string name, string description, int most = int.MaxValue) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result => ParseNumber(result, most),
    };

    /// <summary>An option for one of a few words.</summary>
    /// <param name="name">The option.</param>
    /// <param name="description">What it means.</param>
    /// <param name="fallback">What it is where it is left out.</param>
    /// <param name="words">The words.</param>
    public static Option<string?> Choice(string name, string description, string? fallback, params string[] words)
    {
        var option = new Option<string?>(name)
        {
            Description = description,
            HelpName = string.Join('|', words),
            DefaultValueFactory = _ => fallback,
            CustomParser = result => words.Contains(result.Tokens[^1].Value)
                ? result.Tokens[^1].Value
                : Refuse<string?>(result, words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}"),
        };
        option.CompletionSources.Add(words);
        return option;
    }

    /// <summary>Says what an option's value is and what it should be.</summary>
    /// <returns>A value to return in place of the one that there isn't.</returns>
    public static T? Refuse<T>(ArgumentResult result, string expected)
    {
        result.AddError($"{((OptionResult)result.Parent!).Option.Name} is {result.Tokens[^1].Value}; expected {expected}.");
        return default;
    }

    /// <summary>Finds an option or argument whose value is empty, or is the name of another option, where a value was forgotten.</summary>
    /// <returns>What is wrong; null where nothing is.</returns>
    public static string? FindMistake(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        HashSet<string> names = [.. command.Options.SelectMany(option => option.Aliases.Append(option.Name))];
        foreach (SymbolResult child in parsed.CommandResult.Children)
        {
            (string name, string? kind) = child switch
            {
                OptionResult option => (option.Option.Name, option.Option.HelpName),
                ArgumentResult argument => (argument.Argument.HelpName ?? argument.Argument.Name, argument.Argument.HelpName),
                _ => ("", null),
            };
            foreach (string value in child.Tokens.Select(token => token.Value))
            {
                if (string.IsNullOrWhiteSpace(value))
                {
                    return $"{name} is empty; expected {Expected(kind)}.";
                }

                if (child is OptionResult && names.Contains(value))
                {
                    return $"{name} is {value}, which is an option; expected {Expected(kind)}.";
                }
            }
        }

        return null;
    }

    private static string Expected(string? kind) => kind switch
    {
        "DIR" => "a folder",
        "FILE" => "a file",
        "PATH" => "a folder or a file",
        "N" => "a whole number",
        null => "a value",
        _ => kind,
    };

    private static int? ParseNumber(ArgumentResult result, int most)
    {
        string text = result.Tokens[^1].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1 && number <= most)
        {
            return number;
        }

        bool isTooLarge = text.Length > 0 && text.All(char.IsAsciiDigit) && text.Trim('0').Length > 0;
        return Refuse<int?>(result, most < int.MaxValue || isTooLarge ? $"a whole number, 1 to {most}" : "a whole number, 1 or more");
    }
}

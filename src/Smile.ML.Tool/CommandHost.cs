using System.CommandLine;
using System.CommandLine.Parsing;

namespace Smile.ML.Tool;

/// <summary>Runs a command line: 0 for success, 1 for a failed run, 2 for bad arguments; messages on stderr, without stack traces.</summary>
internal static class CommandHost
{
    private const int Failed = 1;
    private const int BadArguments = 2;

    public static async Task<int> InvokeAsync(RootCommand root, string[] args)
    {
        ForgivingWriter.ReplaceError();
        using var cancellation = new ConsoleCancellation();
        try
        {
            // A value such as @name is a value, not a file of arguments.
            ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (args.Length == 0)
            {
                await root.Parse("--help").InvokeAsync(new InvocationConfiguration { Output = Console.Error });
                return BadArguments;
            }

            if (Describe(parsed) is { } mistake)
            {
                await Console.Error.WriteLineAsync(mistake);
                await Console.Error.WriteLineAsync($"Run {Path(parsed.CommandResult.Command)} --help for what it takes.");
                return BadArguments;
            }

            // The library's own handler gives a command two seconds to end, then leaves its output half-written.
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(configuration, cancellation.Token);
        }
        catch (UsageException exception)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return BadArguments;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Cancelled; nothing was written.");
            return Failed;
        }
        catch (SmileException exception)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return Failed;
        }
        catch (OutOfMemoryException)
        {
            await Console.Error.WriteLineAsync("There is not enough memory for this; expected smaller sizes, or fewer at once.");
            return Failed;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync(exception.Message);
            return Failed;
        }
#pragma warning disable CA1031 // The last resort of a command: one line, no stack trace.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            await Console.Error.WriteLineAsync($"Unexpected {exception.GetType().Name}: {exception.Message}");
            return Failed;
        }
    }

    /// <summary>Gets a command's path, as it is typed.</summary>
    public static string Path(Command command)
        => command is RootCommand ? "smile" : $"{Path(command.Parents.OfType<Command>().Single())} {command.Name}";

    /// <summary>Says what is wrong; of a name that there isn't, which one may have been meant, and not what follows from it. Null where nothing is.</summary>
    private static string? Describe(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens is [var unknown, ..])
        {
            bool isOption = unknown.StartsWith('-');
            IEnumerable<string> names = isOption ? command.Options.Select(option => option.Name) : command.Subcommands.Where(sub => !sub.Hidden).Select(sub => sub.Name);
            return $"There is no {(isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "argument")} {unknown}.{Suggestion.For(unknown, names)}";
        }

        return Arguments.FindMistake(parsed)
            ?? (parsed.Errors.Count > 0 ? string.Join(Environment.NewLine, parsed.Errors.Select(error => error.Message).Distinct()) : null);
    }
}

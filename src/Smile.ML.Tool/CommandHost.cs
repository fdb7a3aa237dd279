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
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            if (args.Length == 0)
            {
                await root.Parse("--help").InvokeAsync(new InvocationConfiguration { Output = Console.Error });
                return BadArguments;
            }

            foreach (string error in Describe(parsed))
            {
                await Console.Error.WriteLineAsync(error);
            }

            await Console.Error.WriteLineAsync($"Run smile {Path(parsed.CommandResult.Command)}--help for what it takes.");
            return BadArguments;
        }

        try
        {
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false };
            return await parsed.InvokeAsync(configuration);
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

    /// <summary>Says what is wrong; of a name that there isn't, which one may have been meant, and not what follows from it.</summary>
    private static IEnumerable<string> Describe(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (parsed.UnmatchedTokens is [var unknown, ..])
        {
            bool isOption = unknown.StartsWith('-');
            IEnumerable<string> names = isOption ? command.Options.Select(option => option.Name) : command.Subcommands.Where(sub => !sub.Hidden).Select(sub => sub.Name);
            return [$"There is no {(isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "argument")} {unknown}.{Suggestion.For(unknown, names)}"];
        }

        return parsed.Errors.Select(error => error.Message);
    }

    private static string Path(Command command) => command is RootCommand ? "" : command.Name + " ";
}

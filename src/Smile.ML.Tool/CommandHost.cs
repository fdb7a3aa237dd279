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
            foreach (ParseError error in parsed.Errors)
            {
                await Console.Error.WriteLineAsync(error.Message);
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

    private static string Path(Command command) => command is RootCommand ? "" : command.Name + " ";
}

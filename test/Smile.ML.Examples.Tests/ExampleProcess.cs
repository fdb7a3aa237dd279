using System.Diagnostics;

namespace Smile.ML.Examples.Tests;

/// <summary>An example, run as its users run it.</summary>
internal sealed class ExampleProcess : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _error;

    private ExampleProcess(Process process)
    {
        _process = process;
        _error = process.StandardError.ReadToEndAsync();
    }

    /// <summary>Starts an example in the repository's root.</summary>
    public static ExampleProcess Start(string example, params IEnumerable<string> arguments) => StartIn(Repository.Root, example, arguments);

    /// <summary>Runs an example in the repository's root to its end and returns what it printed.</summary>
    public static Task<string> RunAsync(string example, params IEnumerable<string> arguments) => RunInAsync(Repository.Root, example, arguments);

    private static ExampleProcess StartIn(string folder, string example, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
        };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, $"{example}.dll"));
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return new ExampleProcess(Process.Start(start)!);
    }

    /// <summary>Runs an example in a folder to its end and returns what it printed.</summary>
    public static async Task<string> RunInAsync(string folder, string example, params IEnumerable<string> arguments)
    {
        using ExampleProcess process = StartIn(folder, example, arguments);
        string output = await process._process.StandardOutput.ReadToEndAsync();
        await process._process.WaitForExitAsync();
        Assert.AreEqual(0, process._process.ExitCode, $"{example}: {output}{await process._error}");
        return output;
    }

    /// <summary>Reads what is printed up to a line that holds a text, and returns the rest of that line.</summary>
    public async Task<string> ReadUntilAsync(string text)
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            int found = line.IndexOf(text, StringComparison.Ordinal);
            if (found >= 0)
            {
                // Nobody reads on: what is printed later must not block the process.
                _ = _process.StandardOutput.ReadToEndAsync();
                return line[(found + text.Length)..];
            }
        }

        throw new AssertFailedException($"The process ended without printing \"{text}\": {await _error}");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}

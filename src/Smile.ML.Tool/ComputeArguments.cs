using System.CommandLine;
using Smile.ML.Compute;

namespace Smile.ML.Tool;

/// <summary>The options that say where a model runs.</summary>
internal sealed class ComputeArguments
{
    public Option<string> Device { get; } = new("--device")
    {
        Description = "Where to run: cpu, cuda or cuda:N.",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "cpu",
        CustomParser = result => IsDevice(result.Tokens[^1].Value)
            ? result.Tokens[^1].Value
            : Arguments.Refuse<string>(result, $"{string.Join(", ", Backends.Names)} or {Backends.Names[^1]}:N"),
    };

    private readonly Option<int?> _threads = FusionArguments.Threads();

    public void AddTo(Command command, bool withThreads = true)
    {
        command.Options.Add(Device);
        if (withThreads)
        {
            command.Options.Add(_threads);
        }
    }

    public ComputeOptions Read(ParseResult parsed) => new() { Device = parsed.GetValue(Device)!, Threads = parsed.GetValue(_threads) };

    /// <summary>Tells whether a value is a backend's name, with or without the number of one of its devices. The CPU is one.</summary>
    private static bool IsDevice(string value)
        => value.Split(':') is [var name, .. var number]
            && Backends.Names.Contains(name, StringComparer.OrdinalIgnoreCase)
            && (number is [] || (number is [{ Length: >= 1 and <= 9 } digits] && digits.All(char.IsAsciiDigit) && !name.Equals("cpu", StringComparison.OrdinalIgnoreCase)));
}

using System.CommandLine;
using Smile.ML.Compute;

namespace Smile.ML.Tool;

/// <summary>The options that say where a model runs.</summary>
internal sealed class ComputeArguments
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Where to run: cpu, cuda or cuda:N.",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "cpu",
    };

    private readonly Option<int?> _threads = FusionArguments.Threads();

    public void AddTo(Command command, bool withThreads = true)
    {
        command.Options.Add(_device);
        if (withThreads)
        {
            command.Options.Add(_threads);
        }
    }

    public ComputeOptions Read(ParseResult parsed) => new() { Device = parsed.GetValue(_device)!, Threads = parsed.GetValue(_threads) };
}

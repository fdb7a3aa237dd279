using System.CommandLine;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Smile.ML.Benchmarks;

/// <summary>
/// Hands the command line on to BenchmarkDotNet. It runs in this process: a project of its own would be compiled without the properties
/// that say where ML.NET comes from.
/// </summary>
internal static class DotNetBenchmarks
{
    public static Command Create()
    {
        var command = new Command("dotnet", "BenchmarkDotNet's statistics; takes its arguments, e.g. --filter '*LinearLayers*'.")
        {
            TreatUnmatchedTokensAsErrors = false,
        };
        command.SetAction(parsed =>
        {
            IConfig config = DefaultConfig.Instance.AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(15));
            BenchmarkSwitcher.FromTypes([typeof(LinearLayers), typeof(Decompositions)]).Run([.. parsed.UnmatchedTokens], config);
        });
        return command;
    }
}

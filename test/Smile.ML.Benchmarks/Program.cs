using System.CommandLine;
using Smile.ML.Benchmarks;

return await new RootCommand("Measurements too large for the tests.")
{
    ComputeBenchmark.Create(), DotNetBenchmarks.Create(), DenormalsBenchmark.Create(), OutOfCoreBenchmark.Create(), ThroughputBenchmark.Create(), TowerBenchmark.Create(),
}.Parse(args).InvokeAsync();

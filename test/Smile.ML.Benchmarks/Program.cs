using System.CommandLine;
using Smile.ML.Benchmarks;

return await new RootCommand("Measurements too large for the tests.")
{
#if BENCHMARKDOTNET
    DotNetBenchmarks.Create(),
#endif
    ComputeBenchmark.Create(), DenormalsBenchmark.Create(), OutOfCoreBenchmark.Create(), ThroughputBenchmark.Create(), TowerBenchmark.Create(),
}.Parse(args).InvokeAsync();

using System.CommandLine;
using Smile.ML.Benchmarks;

return await new RootCommand("Measurements too large for the tests.")
{
    ComputeBenchmark.Create(), DenormalsBenchmark.Create(), OutOfCoreBenchmark.Create(), ThroughputBenchmark.Create(),
}.Parse(args).InvokeAsync();

using System.CommandLine;
using Smile.ML.Benchmarks;

return await new RootCommand("Measurements too large for the tests.") { ComputeBenchmark.Create(), OutOfCoreBenchmark.Create(), DenormalsBenchmark.Create() }.Parse(args).InvokeAsync();

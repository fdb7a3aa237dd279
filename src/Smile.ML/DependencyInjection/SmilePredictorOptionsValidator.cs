using System.Globalization;
using Microsoft.Extensions.Options;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.DependencyInjection;

/// <summary>Says, all at once, what is wrong with a predictor's options.</summary>
internal sealed class SmilePredictorOptionsValidator : IValidateOptions<SmilePredictorOptions>
{
    private const int LargestBatch = 65536;
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromDays(1);

    public ValidateOptionsResult Validate(string? name, SmilePredictorOptions options)
    {
        var failures = new List<string>();
        if (string.IsNullOrWhiteSpace(options.ModelFolder))
        {
            Fail(nameof(options.ModelFolder), "not set", "the folder of a model");
        }
        else if (!Directory.Exists(options.ModelFolder))
        {
            Fail(nameof(options.ModelFolder), options.ModelFolder, $"a folder that exists (seen from {Environment.CurrentDirectory})");
        }
        else if (!File.Exists(Path.Combine(options.ModelFolder, ModelConfig.FileName)))
        {
            Fail(nameof(options.ModelFolder), options.ModelFolder, $"a folder with a {ModelConfig.FileName}");
        }

        if (options.HeadsFolder is { } heads && !Directory.Exists(heads))
        {
            Fail(nameof(options.HeadsFolder), heads, $"a folder that exists (seen from {Environment.CurrentDirectory})");
        }

        Require(!string.IsNullOrWhiteSpace(options.Device), nameof(options.Device), options.Device, "a device, e.g. cpu");
        Require(options.Threads is null or (>= 1 and <= ThreadCount.Most), nameof(options.Threads), options.Threads, $"1 to {ThreadCount.Most}");
        Require(options.MaxBatchSize is >= 1 and <= LargestBatch, nameof(options.MaxBatchSize), options.MaxBatchSize, $"1 to {LargestBatch}");
        Require(options.MaxWait >= TimeSpan.Zero && options.MaxWait <= LongestWait, nameof(options.MaxWait), options.MaxWait, $"0 to {LongestWait}");
        Require(options.QueueCapacity >= 1, nameof(options.QueueCapacity), options.QueueCapacity, "1 or more");
        Require(options.MaxGenerations is >= 1 and <= 1024, nameof(options.MaxGenerations), options.MaxGenerations, "1 to 1024");
        Require(
            options.ReloadInterval >= ShortestInterval && options.ReloadInterval <= LongestInterval,
            nameof(options.ReloadInterval),
            options.ReloadInterval,
            $"{ShortestInterval} to {LongestInterval}");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);

        void Require(bool valid, string option, object? found, string expected)
        {
            if (!valid)
            {
                Fail(option, Convert.ToString(found, CultureInfo.InvariantCulture)!, expected);
            }
        }

        void Fail(string option, string found, string expected)
            => failures.Add($"Smile model \"{name}\": {option} is {(found.Length > 0 ? found : "empty")}; expected {expected}.");
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tool;

/// <summary><c>smile inspect</c>: what a checkpoint, adapter or fused model holds.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("path") { Description = "A Hugging Face folder, a fused folder, a PEFT LoRA adapter's folder, or a safetensors file.", HelpName = "PATH" };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("inspect", "Tells what a checkpoint, an adapter or a fused model holds, reading no weights.") { path, json };
        command.SetAction(parsed =>
        {
            CheckpointSummary summary = CheckpointSummary.Read(parsed.GetValue(path)!);
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(summary, Output.Json) : Describe(summary));
            return 0;
        });
        return command;
    }

    private static string Describe(CheckpointSummary summary)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        var lines = new List<string>();
        if (summary.ModelType is { } type)
        {
            lines.Add($"model type    {type}");
        }

        lines.Add(string.Create(culture, $"tensors       {summary.Tensors:N0} ({string.Join(", ", summary.Types.Select(t => $"{t.Value} {t.Key}"))})"));
        lines.Add(string.Create(culture, $"parameters    {summary.Parameters:N0}"));
        lines.Add(string.Create(culture, $"bytes         {summary.Bytes:N0}"));
        if (summary.Experts > 0)
        {
            lines.Add(string.Create(culture, $"experts       {summary.Experts}, {summary.ExpertsPerToken} per token{Names(summary)}"));
            lines.Add(string.Create(culture, $"ranks         expert {(summary.ExpertRank is { } k ? k : "dense")}, router {summary.RouterRank}"));
        }

        if (summary.TaskHeads.Count > 0)
        {
            lines.Add("task heads");
            lines.AddRange(summary.TaskHeads.Select(Output.TaskHead));
        }

        if (summary.Layers.Count > 0)
        {
            lines.Add(string.Create(culture, $"linear layers {summary.Layers.Count}, routed {summary.Layers.Count(layer => layer.ExpertRanks is not null)}"));
            int width = summary.Layers.Max(layer => layer.Name.Length);
            lines.AddRange(summary.Layers.Select(layer =>
                $"  {layer.Name.PadRight(width)}  {layer.Outputs} x {layer.Inputs}"
                + (layer.ExpertRanks is { } ranks ? $"  ranks {string.Join(" ", ranks.Select(rank => rank is { } r ? r.ToString(culture) : "dense"))}" : "")));
        }

        if (summary.AdaptedModules.Count + summary.ReplacedParameters.Count > 0)
        {
            lines.AddRange(DescribeAdapter(summary));
        }

        // Names come with the files.
        return string.Join(Environment.NewLine, lines.Select(line => ErrorText.Printable(line)));
    }

    private static IEnumerable<string> DescribeAdapter(CheckpointSummary summary)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        IEnumerable<int> ranks = summary.AdaptedModules.Select(module => module.Rank).Distinct().Order();
        yield return string.Create(culture, $"LoRA          {summary.AdaptedModules.Count} modules, rank {string.Join(", ", ranks)}");
        int width = summary.AdaptedModules.Select(module => module.Name.Length).DefaultIfEmpty().Max();
        foreach (AdaptedModuleSummary module in summary.AdaptedModules)
        {
            yield return string.Create(culture, $"  {module.Name.PadRight(width)}  {module.Outputs} x {module.Inputs}  rank {module.Rank}, scale {module.Scale:G6}");
        }

        if (summary.ReplacedParameters.Count > 0)
        {
            yield return string.Create(culture, $"replaces      {summary.ReplacedParameters.Count} parameters");
            foreach (string parameter in summary.ReplacedParameters)
            {
                yield return $"  {parameter}";
            }
        }
    }

    private static string Names(CheckpointSummary summary)
        => summary.ExpertNames.Count > 0 ? $": {string.Join(", ", summary.ExpertNames)}" : "";
}

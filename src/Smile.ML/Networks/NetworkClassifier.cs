using System.Globalization;
using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>Tells whether a network is itself a classifier, and its classes.</summary>
internal static class NetworkClassifier
{
    private const string Logits = "logits";
    private const string SingleLabel = "single_label_classification";

    /// <summary>
    /// Gets the names of the classes, where the output is the logits of one choice among at least two of them, the model's or
    /// (<c>EXPERT.logits</c>) an expert's own; else null.
    /// </summary>
    /// <exception cref="SmileException">The config names the classes wrongly.</exception>
    public static IReadOnlyList<string>? FindClassNames(ModelConfig config, NetworkPort output)
    {
        if (output.Shape is not [>= 2 and var classes] || FindLabels(config, output.Name) is not { } labels)
        {
            return null;
        }

        return labels.GetString("problem_type", SingleLabel) == SingleLabel ? ReadClassNames(labels, classes) : null;
    }

    /// <summary>Gets the name of the task whose logits an output is: the expert's whose own they are, else <c>logits</c>.</summary>
    public static string TaskOf(string output) => FindExpert(output) ?? Logits;

    /// <summary>Gets the part of the config that tells of an output's classes; null for an output that is no logits.</summary>
    private static ModelConfig? FindLabels(ModelConfig config, string output)
        => output == Logits ? config
            : FindExpert(output) is { } expert ? OwnHeads.LabelsOf(config, expert)
            : null;

    /// <summary>Gets the expert whose own logits an output is; null where it is nobody's.</summary>
    private static string? FindExpert(string output)
        => output.EndsWith($".{Logits}", StringComparison.Ordinal) ? output[..^(Logits.Length + 1)] : null;

    /// <summary>Reads <c>id2label</c>; without it, classes are named as Hugging Face does.</summary>
    private static string[] ReadClassNames(ModelConfig config, int classes)
    {
        var names = new string[classes];
        if (!config.TryGet("id2label", out JsonElement labels))
        {
            return [.. names.Select((_, id) => $"LABEL_{id}")];
        }

        if (labels.ValueKind != JsonValueKind.Object)
        {
            throw new SmileException(
                $"{config.Location}: id2label is {ErrorText.Clip(labels.GetRawText())}; expected an object with the ids 0 to {classes - 1}, each with a name.");
        }

        foreach (JsonProperty label in labels.EnumerateObject())
        {
            if (!int.TryParse(label.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                || id >= classes
                || label.Value.ValueKind != JsonValueKind.String)
            {
                throw new SmileException(
                    $"{config.Location}: id2label has {ErrorText.Clip(label.Name)}: {ErrorText.Clip(label.Value.GetRawText())}; expected the ids 0 to {classes - 1}, each with a name.");
            }

            names[id] = label.Value.GetString()!;
        }

        int missing = Array.IndexOf(names, null);
        return missing < 0 ? names : throw new SmileException($"{config.Location}: id2label has no name for class {missing} of {classes}.");
    }
}

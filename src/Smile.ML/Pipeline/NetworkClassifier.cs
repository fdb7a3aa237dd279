using System.Globalization;
using System.Text.Json;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>Tells whether a network is itself a classifier, and its classes.</summary>
internal static class NetworkClassifier
{
    private const string SingleLabel = "single_label_classification";

    /// <summary>
    /// Gets the columns <c>Score</c> and <c>PredictedLabel</c>, as ML.NET's own classifiers name them, where the output is the logits of
    /// one choice among at least two classes; else null.
    /// </summary>
    /// <exception cref="SmileException">The config names the classes wrongly.</exception>
    public static ClassifierColumns? Find(ModelConfig config, OutputColumn output)
    {
        return output.Port is { Name: "logits", Shape: [>= 2] } && config.GetString("problem_type", SingleLabel) == SingleLabel
            ? new ClassifierColumns("Score", "PredictedLabel", ReadClassNames(config, output.Port.Shape[0]), Head: null)
            : null;
    }

    /// <summary>Reads <c>id2label</c>; without it, classes are named as Hugging Face does.</summary>
    private static string[] ReadClassNames(ModelConfig config, int classes)
    {
        var names = new string[classes];
        if (!config.TryGet("id2label", out JsonElement labels))
        {
            return [.. names.Select((_, id) => $"LABEL_{id}")];
        }

        foreach (JsonProperty label in labels.EnumerateObject())
        {
            if (!int.TryParse(label.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                || id >= classes
                || label.Value.ValueKind != JsonValueKind.String)
            {
                throw new SmileException(
                    $"{config.Location}: id2label has {label.Name}: {label.Value.GetRawText()}; expected the ids 0 to {classes - 1}, each with a name.");
            }

            names[id] = label.Value.GetString()!;
        }

        int missing = Array.IndexOf(names, null);
        return missing < 0 ? names : throw new SmileException($"{config.Location}: id2label has no name for class {missing} of {classes}.");
    }
}

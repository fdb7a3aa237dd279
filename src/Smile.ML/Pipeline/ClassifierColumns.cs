using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>The two columns of a classifier: the classes' probabilities and the likeliest class.</summary>
/// <param name="ScoreName">The column for the probabilities.</param>
/// <param name="LabelName">The column for the class.</param>
/// <param name="ClassNames">One name per class.</param>
/// <param name="Head">What makes logits of the network's output; null where the output is logits already.</param>
internal sealed record ClassifierColumns(string ScoreName, string LabelName, IReadOnlyList<string> ClassNames, TaskHead? Head)
{
    /// <summary>Makes the columns of a network that is a classifier itself, named as ML.NET's own classifiers name theirs.</summary>
    public static ClassifierColumns Of(IReadOnlyList<string> classNames) => new("Score", "PredictedLabel", classNames, Head: null);

    /// <summary>Makes the columns of a task head.</summary>
    public static ClassifierColumns Of(TaskHead head) => new($"{head.Name}.Score", $"{head.Name}.PredictedLabel", head.ClassNames, head);
}

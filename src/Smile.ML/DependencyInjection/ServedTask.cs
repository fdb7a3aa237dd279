using Smile.ML.Networks;

namespace Smile.ML.DependencyInjection;

/// <summary>A choice among classes that a served model makes: by a task head, or by itself.</summary>
/// <param name="Name">The task's name.</param>
/// <param name="Output">The network's output that it is made of.</param>
/// <param name="ClassNames">The classes' names.</param>
/// <param name="Head">What makes logits of that output; null where they are it already.</param>
internal sealed record ServedTask(string Name, string Output, IReadOnlyList<string> ClassNames, TaskHead? Head)
{
    /// <summary>Makes the choice for a sample.</summary>
    /// <param name="output">The output's values for it.</param>
    /// <exception cref="SmileException">A value is not a number.</exception>
    public TaskPrediction Predict(ReadOnlySpan<float> output)
    {
        var probabilities = new float[ClassNames.Count];
        int best = ClassProbabilities.Compute(output, Head, probabilities);
        return best < 0
            ? throw new SmileException($"Task {Name}: the sample's {Output} is not finite; expected finite inputs.")
            : new TaskPrediction(Name, ClassNames[best], probabilities, ClassNames);
    }
}

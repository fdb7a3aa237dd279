using Smile.ML.Checkpoints;

namespace Smile.ML.Analysis;

/// <summary>A few rows of a task, without labels.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Inputs">The network's inputs by name, batch first.</param>
public sealed record TaskSample(string Task, IReadOnlyDictionary<string, HostTensor> Inputs);

using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>How an ML.NET pipeline fuses a pool, and which columns the fused model reads and adds.</summary>
/// <remarks><see cref="SmileFusionOptions.Threads"/> holds for fusing and for scoring.</remarks>
public class SmileOptions : SmileFusionOptions
{
    /// <summary>The number of rows scored together where nothing else is asked for.</summary>
    internal const int DefaultBatchSize = 64;

    /// <summary>
    /// Gets or sets the column with the network's input: a vector of <see cref="float"/>, dense or sparse, whose size is the product of
    /// the input's shape (an image: channels x height x width). <c>Features</c> by default.
    /// </summary>
    public string InputColumnName { get; set; } = "Features";

    /// <summary>Gets or sets the name of the column that receives the network's output. <c>Embedding</c> by default.</summary>
    public string OutputColumnName { get; set; } = "Embedding";

    /// <summary>Gets or sets the network output to take; null for the network's first, the embedding.</summary>
    public string? NetworkOutput { get; set; }

    /// <summary>
    /// Gets the task heads. Each adds <c>TASK.Score</c>, the classes' probabilities, and <c>TASK.PredictedLabel</c>, the likeliest class.
    /// </summary>
    public IList<TaskHead> Heads { get; } = [];

    /// <summary>Gets or sets a folder with one safetensors file per head, to use beside <see cref="Heads"/>; or null.</summary>
    public string? HeadsFolder { get; set; }

    /// <summary>Gets the tasks whose heads to take from <see cref="HeadsFolder"/>; all of them where empty.</summary>
    public IList<string> Tasks { get; } = [];

    /// <summary>
    /// Gets or sets the most rows to score together, 1 to 65536; 64 by default. A cursor starts with one row and doubles, so reading a few
    /// rows costs little. Scores don't depend on it.
    /// </summary>
    public int BatchSize { get; set; } = DefaultBatchSize;

    /// <summary>Gets or sets where to score: <c>cpu</c>, or <c>cuda</c> or <c>cuda:N</c> where Smile.ML.Cuda is referenced.</summary>
    public string Device { get; set; } = "cpu";

    /// <summary>Gets where and with how many threads to score.</summary>
    internal ComputeOptions Compute => new() { Device = Device, Threads = Threads };

    /// <summary>Gathers the heads.</summary>
    /// <exception cref="SmileException">The folder or a head can't be read, or a task has no head there.</exception>
    internal IReadOnlyList<TaskHead> LoadHeads()
    {
        if (HeadsFolder is null)
        {
            return Tasks.Count == 0
                ? [.. Heads]
                : throw new SmileException($"{nameof(Tasks)} is {string.Join(", ", Tasks)}, but {nameof(HeadsFolder)} is not set; expected the folder of their heads.");
        }

        IReadOnlyList<TaskHead> found = TaskHead.LoadFolder(HeadsFolder);
        return Tasks.Count == 0
            ? [.. Heads, .. found]
            : [.. Heads, .. Tasks.Select(task => found.FirstOrDefault(head => head.Name == task)
                ?? throw new SmileException($"{HeadsFolder}: there is no head for task {task}; found {string.Join(", ", found.Select(head => head.Name))}."))];
    }
}

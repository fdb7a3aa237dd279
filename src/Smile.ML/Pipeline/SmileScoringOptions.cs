using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML;

/// <summary>Which columns of an ML.NET pipeline a model reads and adds, and how it scores.</summary>
public class SmileScoringOptions
{
    /// <summary>
    /// Gets or sets the column for the network's first input. For an image: a vector of <see cref="float"/>, dense or sparse, whose size is
    /// the product of the input's shape (channels x height x width). For a text: a vector of <see cref="long"/>, <see cref="int"/> or
    /// <see cref="uint"/> token ids, of known or unknown size. <c>Features</c> by default.
    /// </summary>
    public string InputColumnName { get; set; } = "Features";

    /// <summary>
    /// Gets the columns of further network inputs, by the inputs' names: <c>attention_mask</c>, <c>token_type_ids</c>, ... An optional input
    /// that is not named here is not fed. Rows of different lengths need no mask: where the network takes one, rows are padded and masked
    /// as they are scored together, without effect on a single bit.
    /// </summary>
    public IDictionary<string, string> Inputs { get; } = new Dictionary<string, string>();

    /// <summary>Gets or sets the name of the column that receives the network's output. <c>Embedding</c> by default.</summary>
    public string OutputColumnName { get; set; } = "Embedding";

    /// <summary>
    /// Gets or sets the network output to take; null for the network's first that the inputs suffice for: the embedding or, of a classifier or
    /// a language model, <c>logits</c>. The logits of a classifier add two more columns, named as ML.NET's own: <c>Score</c>, the classes' probabilities, and
    /// <c>PredictedLabel</c>, the likeliest class, with the classes' names from the model's configuration (<c>id2label</c>).
    /// </summary>
    public string? NetworkOutput { get; set; }

    /// <summary>
    /// Gets or sets how one vector is made of an output per token; null leaves the output as it is, a vector of unknown size with the
    /// tokens' vectors one after the other.
    /// </summary>
    public TokenPooling? Pooling { get; set; }

    /// <summary>
    /// Gets or sets how a language model continues each row's tokens; null, the default, for no such column. The column
    /// <see cref="GeneratedColumnName"/> then holds the new ids, a vector of <see cref="long"/> of unknown size: without the prompt, up to and
    /// including the stop token, where one was reached. They are computed where this column is asked for. Rows are continued as
    /// <c>SmileModel.Generate</c> continues each alone: a row's ids don't depend on the rows beside it, and with a
    /// <see cref="GenerationOptions.Temperature"/> rows of equal tokens get equal ids.
    /// </summary>
    public GenerationOptions? Generation { get; set; }

    /// <summary>Gets or sets the name of the column for <see cref="Generation"/>. <c>GeneratedIds</c> by default.</summary>
    public string GeneratedColumnName { get; set; } = "GeneratedIds";

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
    public int BatchSize { get; set; } = 64;

    /// <summary>
    /// Gets or sets where to score: <c>cpu</c>, or <c>cuda</c> or <c>cuda:N</c> where Smile.ML.Cuda is referenced. Where null, the GPU that
    /// the context names (<c>MLContext.GpuDeviceId</c>), else the CPU. A device that is not there is an error, unless the context allows
    /// the CPU instead (<c>MLContext.FallbackToCpu</c>): then its log tells. The device is not saved with a pipeline.
    /// </summary>
    public string? Device { get; set; }

    /// <summary>Gets or sets the threads to work with on the CPU, 1 to 1024; null for all that the machine (its cgroup) gives.</summary>
    public int? Threads { get; set; }

    /// <summary>
    /// Gets or sets whether a saved pipeline holds the weights. Else it holds the path of the model's folder as it is given, relative or
    /// absolute, and the files are used there when the pipeline is loaded: for models whose copies in zip files would be
    /// too large or too slow. True by default.
    /// </summary>
    public bool WeightsInZip { get; set; } = true;

    /// <summary>Gathers what concerns columns.</summary>
    /// <exception cref="SmileException">
    /// The heads' folder or a head can't be read, a task has no head there, or an option of the generation is out of range.
    /// </exception>
    internal ColumnSettings CreateColumnSettings()
        => new(
            InputColumnName,
            new Dictionary<string, string>(Inputs),
            OutputColumnName,
            NetworkOutput,
            Pooling,
            LoadHeads(),
            Generation is null ? null : new GenerationSettings(GeneratedColumnName, Generation));

    /// <summary>Gathers how to score, and where to keep the model.</summary>
    /// <param name="modelFolder">The model's folder; a temporary one where null.</param>
    /// <exception cref="SmileException">An option is out of range, or the weights have no place.</exception>
    internal ScoringSettings CreateScoringSettings(string? modelFolder)
    {
        var scoring = new ScoringSettings(BatchSize, Device, Threads, modelFolder, WeightsInZip);
        scoring.Validate();
        return scoring;
    }

    private IReadOnlyList<TaskHead> LoadHeads()
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

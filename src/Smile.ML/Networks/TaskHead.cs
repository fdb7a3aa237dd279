using System.Globalization;
using System.Text.Json;
using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>
/// A frozen classification head over embeddings, as in zero-shot CLIP: logit_c = scale * cosine(embedding, class embedding c).
/// </summary>
public sealed class TaskHead
{
    private readonly float[] _classEmbeds;
    private readonly float _scale;

    /// <summary>Creates a head.</summary>
    /// <param name="name">The task's name.</param>
    /// <param name="classNames">One name per class.</param>
    /// <param name="classEmbeds">Class embeddings [classes, embedding size], row-major; normalised here.</param>
    /// <param name="scale">The factor on the cosines.</param>
    /// <exception cref="SmileException">The sizes don't fit together, or a value is not finite.</exception>
    public TaskHead(string name, IReadOnlyList<string> classNames, ReadOnlySpan<float> classEmbeds, float scale)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(classNames);
        if (classNames.Count == 0 || classEmbeds.Length == 0 || classEmbeds.Length % classNames.Count != 0)
        {
            throw new SmileException($"Head {ErrorText.Clip(name)}: {classEmbeds.Length} values don't make {classNames.Count} class embeddings of one size.");
        }

        Name = name;
        ClassNames = [.. classNames];
        EmbeddingSize = classEmbeds.Length / classNames.Count;
        _scale = scale;
        _classEmbeds = classEmbeds.ToArray();
        for (int c = 0; c < ClassNames.Count; c++)
        {
            Span<float> row = _classEmbeds.AsSpan(c * EmbeddingSize, EmbeddingSize);
            double norm = Math.Sqrt(Dot(row, row));
            if (!(norm > 0) || !double.IsFinite(norm) || !float.IsFinite(scale))
            {
                throw new SmileException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"Head {ErrorText.Clip(name)}: the embedding of class {ErrorText.Clip(ClassNames[c])} has norm {norm}, the scale is {scale}; expected finite values, not zero."));
            }

            for (int i = 0; i < row.Length; i++)
            {
                row[i] = (float)(row[i] / norm);
            }
        }
    }

    // Not of the public constructor's parameters: an array would choose this one.
    private TaskHead(TaskHead head, float[] normalized)
        => (Name, ClassNames, EmbeddingSize, _scale, _classEmbeds) = (head.Name, head.ClassNames, head.EmbeddingSize, head._scale, normalized);

    /// <summary>Gets the task's name.</summary>
    public string Name { get; }

    /// <summary>Gets the classes' names.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>Gets the length of the embeddings that the head takes.</summary>
    public int EmbeddingSize { get; }

    /// <summary>Gets the normalised class embeddings [classes, embedding size], row-major.</summary>
    internal ReadOnlySpan<float> ClassEmbeds => _classEmbeds;

    /// <summary>Gets the factor on the cosines.</summary>
    internal float Scale => _scale;

    /// <summary>Makes a head again of what another had, its class embeddings bit by bit: normalising twice may change the last one.</summary>
    /// <exception cref="SmileException">The sizes don't fit together, or a value is not finite.</exception>
    internal static TaskHead Restore(string name, IReadOnlyList<string> classNames, float[] classEmbeds, float scale)
        => new(new TaskHead(name, classNames, classEmbeds, scale), classEmbeds);

    /// <summary>
    /// Loads a head named as its file from <c>class_embeds</c> [classes, embedding size] and <c>logit_scale</c> [1]. The file's metadata
    /// may name the classes: <c>labels</c>, a JSON array of strings; else they are numbered from 0.
    /// </summary>
    /// <param name="path">The safetensors file.</param>
    /// <returns>The head.</returns>
    /// <exception cref="SmileException">The file is not readable, or not such a head.</exception>
    public static TaskHead Load(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        TensorInfo embeds = file.GetTensor("class_embeds");
        if (embeds.Shape.Count != 2 || embeds.ElementCount == 0)
        {
            throw new SmileException($"{path}: tensor class_embeds is {embeds.Description}; expected [classes, embedding size].");
        }

        float[] scale = file.ReadFloats("logit_scale");
        if (scale.Length != 1)
        {
            throw new SmileException($"{path}: tensor logit_scale is {file.GetTensor("logit_scale").Description}; expected one value.");
        }

        float[] classEmbeds = file.ReadFloats("class_embeds");
        string[] labels = ReadLabels(file, (int)embeds.Shape[0]);
        try
        {
            return new TaskHead(Path.GetFileNameWithoutExtension(path), labels, classEmbeds, scale[0]);
        }
        catch (SmileException e)
        {
            throw new SmileException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Loads every head of a folder, in ordinal order of their names.</summary>
    /// <param name="folder">A folder of safetensors files.</param>
    /// <returns>The heads.</returns>
    /// <exception cref="SmileException">There is no such folder, it holds no head, or one is not readable.</exception>
    public static IReadOnlyList<TaskHead> LoadFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.safetensors") : [];
        return files.Length > 0
            ? [.. files.Order(StringComparer.Ordinal).Select(Load)]
            : throw new SmileException($"{folder}: expected a folder with one safetensors file per task head; found none.");
    }

    /// <summary>Computes the logits of one embedding.</summary>
    /// <param name="embedding">The embedding, of any norm.</param>
    /// <param name="logits">Receives one logit per class.</param>
    /// <exception cref="ArgumentOutOfRangeException">One of them has another length.</exception>
    public void Score(ReadOnlySpan<float> embedding, Span<float> logits)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(embedding.Length, EmbeddingSize);
        ArgumentOutOfRangeException.ThrowIfNotEqual(logits.Length, ClassNames.Count);
        double norm = Math.Sqrt(Dot(embedding, embedding));
        double factor = norm > 0 ? _scale / norm : 0;
        for (int c = 0; c < logits.Length; c++)
        {
            logits[c] = (float)(factor * Dot(embedding, _classEmbeds.AsSpan(c * EmbeddingSize, EmbeddingSize)));
        }
    }

    private static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sum += (double)x[i] * y[i];
        }

        return sum;
    }

    private static string[] ReadLabels(SafetensorsFile file, int classes)
    {
        if (!file.Metadata.TryGetValue("labels", out string? json))
        {
            return [.. Enumerable.Range(0, classes).Select(c => c.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        }

        string[]? labels = null;
        try
        {
            labels = JsonSerializer.Deserialize<string[]>(json);
        }
        catch (JsonException)
        {
            // Reported below, like a list of another length.
        }

        return labels?.Length == classes && Array.TrueForAll(labels, label => !string.IsNullOrEmpty(label))
            ? labels
            : throw new SmileException($"{file.Location}: metadata labels is {ErrorText.Clip(json)}; expected a JSON array of {classes} strings.");
    }
}

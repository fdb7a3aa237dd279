using Smile.ML.Checkpoints;

namespace Smile.ML.Analysis;

/// <summary>The labelled images of one task, read from their file a batch at a time.</summary>
public sealed class TaskData : IDisposable
{
    private const string Suffix = "_test.safetensors";
    private readonly SafetensorsFile _file;
    private readonly TensorInfo _images;
    private readonly long[] _labels;

    private TaskData(SafetensorsFile file, string name)
    {
        _file = file;
        Name = name;
        _images = file.GetTensor("images");
        _labels = file.ReadIntegers("labels");
        if (_images.Shape.Count != 4 || _images.Shape[0] != _labels.Length || _labels.Length == 0
            || !(_images.Type == TensorType.U8 || _images.Type.IsFloatingPoint()))
        {
            throw new SmileException(
                $"{file.Location}: images is {_images.Description} with {_labels.Length} labels; expected U8 or float [N, C, H, W] and N labels, N at least 1.");
        }
    }

    /// <summary>Gets the task's name.</summary>
    public string Name { get; }

    /// <summary>Gets the number of images.</summary>
    public int Count => _labels.Length;

    /// <summary>Gets the class of each image.</summary>
    public IReadOnlyList<long> Labels => _labels;

    /// <summary>
    /// Opens <c>TASK_test.safetensors</c>: <c>images</c> [N, C, H, W], bytes (fed to the network as x / 127.5 - 1) or floats (fed as they
    /// are), and integer <c>labels</c> [N].
    /// </summary>
    /// <param name="path">The file.</param>
    /// <exception cref="SmileException">The file is not readable, or not such a data set.</exception>
    public static TaskData Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string name = Path.GetFileName(path);
        name = name.EndsWith(Suffix, StringComparison.Ordinal) ? name[..^Suffix.Length] : Path.GetFileNameWithoutExtension(name);
        SafetensorsFile file = SafetensorsFile.Open(path);
        try
        {
            return new TaskData(file, name);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens every <c>*_test.safetensors</c> of a folder, in ordinal order of their names.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="SmileException">There is no such folder, it holds no data set, or one is not readable.</exception>
    public static IReadOnlyList<TaskData> OpenFolder(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*" + Suffix) : [];
        if (files.Length == 0)
        {
            throw new SmileException($"{folder}: expected a folder with files TASK{Suffix}; found none.");
        }

        var opened = new List<TaskData>();
        try
        {
            opened.AddRange(files.Order(StringComparer.Ordinal).Select(Open));
            return opened;
        }
        catch
        {
            opened.ForEach(data => data.Dispose());
            throw;
        }
    }

    /// <summary>Reads consecutive images.</summary>
    /// <param name="start">Index of the first.</param>
    /// <param name="count">How many.</param>
    /// <returns>Float values [count, C, H, W] as the network takes them.</returns>
    public HostTensor ReadImages(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + count, Count);
        int size = checked((int)(_images.ElementCount / Count));
        var values = new float[checked(count * size)];
        if (_images.Type == TensorType.U8)
        {
            var bytes = new byte[values.Length];
            _file.ReadBytes("images", (long)start * size, bytes);
            for (int i = 0; i < bytes.Length; i++)
            {
                values[i] = (bytes[i] / 127.5f) - 1f;
            }
        }
        else
        {
            _file.ReadFloats("images", (long)start * size, values);
        }

        return HostTensor.FromFloats([count, .. _images.Shape.Skip(1)], values);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}

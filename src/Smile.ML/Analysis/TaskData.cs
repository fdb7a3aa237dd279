using Smile.ML.Checkpoints;

namespace Smile.ML.Analysis;

/// <summary>The labelled images of one task, read from their file a batch at a time.</summary>
public sealed class TaskData : IDisposable
{
    private const string Suffix = "_test.safetensors";
    private readonly SafetensorsFile _file;
    private readonly TensorInfo _images;
    private readonly long[] _labels;

    // Values of one image: more than any network here takes, and what 64 of them take can still be counted.
    private const int MaxImageValues = 1 << 24;

    private TaskData(SafetensorsFile file, string name, int? maxCount)
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

        if (_images.ElementCount / _labels.Length is < 1 or > MaxImageValues)
        {
            throw new SmileException($"{file.Location}: images is {_images.Description}; expected 1 to {MaxImageValues} values each.");
        }

        if (maxCount < _labels.Length)
        {
            long[] all = _labels;
            _labels = new long[maxCount.Value];
            for (int i = 0; i < _labels.Length; i++)
            {
                _labels[i] = all[StoredRow(i)];
            }
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
    /// <param name="maxCount">Takes this many images at most, evenly from the whole file; all where null.</param>
    /// <returns>The data; dispose it to close its file.</returns>
    /// <exception cref="SmileException">The file is not readable, or not such a data set.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No image at all is to be taken.</exception>
    public static TaskData Open(string path, int? maxCount = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxCount ?? 1, 1, nameof(maxCount));
        string name = Path.GetFileName(path);
        name = name.EndsWith(Suffix, StringComparison.Ordinal) ? name[..^Suffix.Length] : Path.GetFileNameWithoutExtension(name);
        SafetensorsFile file = SafetensorsFile.Open(path);
        try
        {
            return new TaskData(file, name, maxCount);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens every <c>*_test.safetensors</c> of a folder, in ordinal order of their names.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="maxCount">Takes this many images of each at most, evenly from the whole file; all where null.</param>
    /// <returns>The data of each task; dispose them to close their files.</returns>
    /// <exception cref="SmileException">There is no such folder, it holds no data set, or one is not readable.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No image at all is to be taken.</exception>
    public static IReadOnlyList<TaskData> OpenFolder(string folder, int? maxCount = null)
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
            opened.AddRange(files.Order(StringComparer.Ordinal).Select(path => Open(path, maxCount)));
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
    /// <exception cref="ArgumentOutOfRangeException">There are no such images.</exception>
    public HostTensor ReadImages(int start, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Count - start);
        int size = checked((int)(_images.ElementCount / _images.Shape[0]));
        var values = new float[checked(count * size)];
        for (int i = 0; i < count; i++)
        {
            ReadImage(StoredRow(start + i) * size, values.AsSpan(i * size, size));
        }

        return HostTensor.FromFloats([count, .. _images.Shape.Skip(1)], values);
    }

    /// <summary>Reads a few images, taken evenly from all.</summary>
    /// <param name="count">How many at most.</param>
    /// <returns>Float values [count, C, H, W] as the network takes them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The count is below 1.</exception>
    public HostTensor ReadSample(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        count = Math.Min(count, Count);
        HostTensor[] images = [.. Enumerable.Range(0, count).Select(i => ReadImages((int)((long)i * Count / count), 1))];
        return HostTensor.FromFloats([count, .. _images.Shape.Skip(1)], [.. images.SelectMany(image => image.Floats!)]);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Where in the file an image is: those taken are spread evenly over it.</summary>
    private long StoredRow(int index) => index * _images.Shape[0] / Count;

    private void ReadImage(long start, Span<float> destination)
    {
        if (_images.Type != TensorType.U8)
        {
            _file.ReadFloats("images", start, destination);
            return;
        }

        var bytes = new byte[destination.Length];
        _file.ReadBytes("images", start, bytes);
        for (int i = 0; i < bytes.Length; i++)
        {
            destination[i] = (bytes[i] / 127.5f) - 1f;
        }
    }
}

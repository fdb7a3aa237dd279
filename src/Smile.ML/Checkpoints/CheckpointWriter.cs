using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Smile.ML.Checkpoints;

/// <summary>
/// Writes a model folder in Hugging Face's layout, tensor by tensor: <c>config.json</c> with <c>model.safetensors</c>, or with shards
/// and their index when the tensors take more than one file. All of it is written to a temporary folder beside the output, which
/// <see cref="Commit"/> renames; disposing without it leaves nothing behind. Not safe to use from several threads at once.
/// </summary>
public sealed class CheckpointWriter : IDisposable
{
    /// <summary>The bytes of tensors that a file holds before the next one is begun, unless told otherwise.</summary>
    public const long DefaultMaxShardBytes = 5_000_000_000;

    private readonly StagedOutput _output;
    private readonly bool _overwrite;
    private readonly long _maxShardBytes;
    private readonly long _headerCapacity;
    private readonly List<string> _shardPaths = [];
    private readonly SortedDictionary<string, int> _shardsByTensor = new(StringComparer.Ordinal);
    private SafetensorsWriter? _shard;
    private ModelConfig? _config;
    private long _totalBytes;
    private bool _writing;
    private bool _committed;

    private CheckpointWriter(StagedOutput output, bool overwrite, long maxShardBytes, long headerCapacity)
    {
        _output = output;
        _overwrite = overwrite;
        _maxShardBytes = maxShardBytes;
        _headerCapacity = headerCapacity;
    }

    /// <summary>Begins a folder. Removes what dead runs for the same folder left beside it.</summary>
    /// <param name="folder">The folder's final path. Missing parents are created.</param>
    /// <param name="tensors">
    /// The tensors that may be written, with their largest shapes. It only sizes the room kept for headers: with too few the model takes
    /// more shards than it needs, with too many the files are padded.
    /// </param>
    /// <param name="overwrite">Whether to replace a folder that is not empty, at <see cref="Commit"/>.</param>
    /// <param name="maxShardBytes">The bytes of tensors that a file holds before the next one is begun. A larger tensor has a file of its own.</param>
    /// <returns>The writer.</returns>
    /// <exception cref="SmileException">The folder is not empty and may not be replaced, or the place is not writable.</exception>
    public static CheckpointWriter Create(
        string folder, IEnumerable<TensorInfo> tensors, bool overwrite = false, long maxShardBytes = DefaultMaxShardBytes)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxShardBytes, 1);
        long headerCapacity = Math.Min(SafetensorsWriter.HeaderBound(tensors), SafetensorsHeader.MaxLength);
        var output = StagedOutput.Create(folder);
        try
        {
            output.RequireFolderFree(overwrite);
            Directory.CreateDirectory(output.TemporaryPath);
            return new CheckpointWriter(output, overwrite, maxShardBytes, headerCapacity);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            output.Dispose();
            throw RegularFile.Failure(folder, "cannot be written", e);
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    /// <summary>Writes a floating-point tensor, rounding its values to the nearest of the type, ties to even.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="type">The type to store: F64, F32, F16 or BF16.</param>
    /// <param name="shape">The dimensions, outermost first.</param>
    /// <param name="values">The elements in row-major order.</param>
    /// <exception cref="SmileException">A finite value is too large for the type, or the file cannot be written (disk full, for one).</exception>
    /// <exception cref="ArgumentException">
    /// The name is written already, the type is not a floating-point one, or the shape does not have as many elements as there are values.
    /// </exception>
    public void WriteTensor(string name, TensorType type, IReadOnlyList<long> shape, ReadOnlySpan<float> values)
    {
        var tensor = new TensorInfo(name, type, shape);
        BeginTensor(tensor).WriteFloats(tensor, values);
        _writing = false;
    }

    /// <summary>Copies a tensor byte by byte, in chunks.</summary>
    /// <param name="tensor">The tensor to write: its new name, and the type and shape that it has in the source.</param>
    /// <param name="source">Where the tensor is.</param>
    /// <param name="sourceName">Its name there; null when it is the same.</param>
    /// <exception cref="SmileException">
    /// The source has no such tensor or one of another type or shape, it cannot be read, or the file cannot be written.
    /// </exception>
    /// <exception cref="ArgumentException">The name is written already.</exception>
    public void WriteRaw(TensorInfo tensor, ITensorSource source, string? sourceName = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(source);
        BeginTensor(tensor).Copy(tensor, source, sourceName ?? tensor.Name);
        _writing = false;
    }

    /// <summary>Writes a source's tensor in another floating-point type, in chunks: values are widened, or rounded to the nearest, ties to even.</summary>
    /// <param name="tensor">The tensor to write: its new name and type, and the shape that it has in the source.</param>
    /// <param name="source">Where the tensor is.</param>
    /// <param name="sourceName">Its name there; null when it is the same.</param>
    /// <exception cref="SmileException">
    /// The source has no such tensor, or one of another shape or not of a floating-point type, or it cannot be read, a finite value is too
    /// large for the type, or the file cannot be written.
    /// </exception>
    /// <exception cref="ArgumentException">The name is written already, or the type is not a floating-point one.</exception>
    public void WriteConverted(TensorInfo tensor, ITensorSource source, string? sourceName = null)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        ArgumentNullException.ThrowIfNull(source);
        BeginTensor(tensor).Convert(tensor, source, sourceName ?? tensor.Name);
        _writing = false;
    }

    /// <summary>Sets what <see cref="Commit"/> writes to <c>config.json</c>.</summary>
    /// <param name="config">The configuration.</param>
    public void SetConfig(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        _config = config;
    }

    /// <summary>Writes a further file, e.g. a tokenizer's, as it is.</summary>
    /// <param name="name">The file's name, without folders.</param>
    /// <param name="content">Its content.</param>
    /// <exception cref="SmileException">The file is written already or cannot be written.</exception>
    /// <exception cref="ArgumentException">The name is not a plain file name.</exception>
    public void WriteFile(string name, ReadOnlySpan<byte> content)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        RequireOpen();
        if (name is "." or ".." || Path.GetFileName(name) != name)
        {
            throw new ArgumentException($"{ErrorText.Quote(name)} is not a plain file name.", nameof(name));
        }

        RegularFile.WriteNew(PathOf(name), content);
    }

    /// <summary>Completes the folder, flushes it to disk and gives it its final name.</summary>
    /// <exception cref="SmileException">A file cannot be written, or the folder cannot be renamed; a former output is then still there.</exception>
    /// <exception cref="InvalidOperationException">No configuration is set, or writing a tensor has failed.</exception>
    public void Commit()
    {
        RequireOpen();
        if (_config is null)
        {
            throw new InvalidOperationException("A model folder needs a configuration.");
        }

        if (_writing)
        {
            throw new InvalidOperationException("Writing a tensor has failed; the folder cannot be committed without it.");
        }

        if (_shard is null)
        {
            BeginShard(_headerCapacity);
        }

        FinishShard();
        NameShards();
        RegularFile.WriteNew(PathOf(ModelConfig.FileName), Encoding.UTF8.GetBytes(_config.ToJson()));
        _output.PublishFolder(_overwrite);
        _committed = true;
    }

    /// <summary>Deletes what was written unless it is committed.</summary>
    public void Dispose()
    {
        _shard?.Dispose();
        _output.Dispose();
    }

    private SafetensorsWriter BeginTensor(TensorInfo tensor)
    {
        RequireOpen();
        if (!_shardsByTensor.TryAdd(tensor.Name, 0))
        {
            throw new ArgumentException($"The tensor {ErrorText.Quote(tensor.Name)} is written already.", nameof(tensor));
        }

        _writing = true;
        if (_shard is not null && (IsFull(_shard, tensor) || !_shard.HasRoomFor(tensor)))
        {
            FinishShard();
        }

        if (_shard is null)
        {
            BeginShard(Math.Max(_headerCapacity, SafetensorsWriter.HeaderBound([tensor])));
        }

        _shardsByTensor[tensor.Name] = _shardPaths.Count;
        _totalBytes += tensor.ByteLength;
        return _shard!;
    }

    private bool IsFull(SafetensorsWriter shard, TensorInfo next)
        => shard.DataLength > 0 && next.ByteLength > _maxShardBytes - shard.DataLength;

    private void BeginShard(long headerCapacity)
    {
        // The final names hold the number of shards, which is known only at the end.
        string path = PathOf($"shard-{_shardPaths.Count + 1:D5}");
        _shard = new SafetensorsWriter(path, headerCapacity, _output.FinalPath);
        _shardPaths.Add(path);
    }

    private void FinishShard()
    {
        _shard!.Finish();
        _shard.Dispose();
        _shard = null;
    }

    private void NameShards()
    {
        if (_shardPaths.Count == 1)
        {
            Rename(_shardPaths[0], HuggingFaceFolder.SingleFileName);
            return;
        }

        for (int i = 0; i < _shardPaths.Count; i++)
        {
            Rename(_shardPaths[i], ShardName(i + 1));
        }

        RegularFile.WriteNew(PathOf(HuggingFaceFolder.IndexFileName), Index());
    }

    private byte[] Index()
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", _totalBytes);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach ((string tensor, int shard) in _shardsByTensor)
            {
                json.WriteString(tensor, ShardName(shard));
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }

    private string ShardName(int number) => $"model-{number:D5}-of-{_shardPaths.Count:D5}.safetensors";

    private void Rename(string path, string name)
    {
        try
        {
            File.Move(path, PathOf(name));
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(PathOf(name), "cannot be written", e);
        }
    }

    private string PathOf(string name) => Path.Combine(_output.TemporaryPath, name);

    private void RequireOpen()
    {
        if (_committed)
        {
            throw new InvalidOperationException("The folder is committed.");
        }
    }
}

using System.Security.Cryptography;
using Microsoft.ML;
using Microsoft.ML.Runtime;
using Microsoft.Win32.SafeHandles;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML;

/// <summary>
/// A transformer in an ML.NET model file: the entry <c>Smile.bin</c>, which starts with the format's version, holds columns, heads and the
/// list of the model's files and ends with a hash of it all, and each of these files as an entry of its own, as it is on disk, or the path of the
/// folder with them.
/// </summary>
internal static class SmileModelFormat
{
    /// <summary>The newest version of the format that is read, and the one that is written.</summary>
    internal const int Version = 3;

    // The first version with generated ids.
    private const int GenerationVersion = 2;

    // The first version with hashes of all that is in the file: zip archives are read without looking at their own checksums.
    private const int HashVersion = 3;
    private const string SettingsEntry = "Smile.bin";
    private const string ModelSignature = "SMILEMDL";
    private const int ChunkLength = 1 << 20;

    // Heads, classes of one, files: beyond any model, and small enough that a list of empty strings costs little.
    private const int MaxListLength = 1 << 20;

    /// <summary>Saves a transformer.</summary>
    /// <param name="context">The model being saved.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="batchSize">The most rows to score together.</param>
    /// <param name="files">The model's files.</param>
    /// <param name="folder">The path to save in place of the files; null to save the files.</param>
    public static void Save(ModelSaveContext context, SmileColumns columns, int batchSize, ModelFiles files, string? folder)
    {
        Internals.SetVersionInfo(context, ModelSignature, Version, typeof(SmileModelLoader), SmileModelLoader.Signature);
        SavedFile[] entries = files.Describe(whole: folder is null);
        byte[] settings = WriteSettings(writer =>
        {
            writer.Write(Version);
            WriteList(writer, columns.Inputs, input =>
            {
                writer.Write(input.Port.Name);
                writer.Write(input.Name);
            });
            writer.Write(columns.Names[0]);
            writer.Write(columns.Output.Port.Name);
            writer.Write(columns.Output.Pooling?.ToString() ?? "");
            writer.Write(batchSize);
            WriteList(writer, columns.Heads, head => Write(writer, head));
            writer.Write(folder ?? "");
            WriteList(writer, entries, file =>
            {
                writer.Write(file.Name);
                writer.Write(file.Length);
                writer.Write(file.Fingerprint);
            });
            WriteList<GenerationSettings>(writer, columns.Generation is { } column ? [column] : [], generation => Write(writer, generation));
        });
        Internals.SaveEntry(context, SettingsEntry, writer =>
        {
            writer.Write(settings);
            writer.Write(SHA256.HashData(settings));
        });
        foreach (SavedFile file in folder is null ? entries : [])
        {
            Internals.SaveEntry(context, file.Name, writer => files.CopyTo(file.Name, writer));
        }
    }

    /// <summary>Loads a transformer, by way of a temporary folder where the weights are in the file.</summary>
    /// <param name="environment">Where it is to live.</param>
    /// <param name="context">ML.NET's ModelLoadContext.</param>
    /// <param name="how">Where it is to score, and where weights beside the file are.</param>
    /// <exception cref="SmileException">
    /// The model was saved in a newer format or is damaged, its weights are missing or are others, or the device is not there.
    /// </exception>
    public static SmileTransformer Load(IHostEnvironment environment, object context, LoadSettings how)
    {
        Settings? settings = null;
        ReadEntry(context, SettingsEntry, reader => settings = ReadSettings(reader));
        ComputeOptions compute = ScoringDevice.Choose(environment, how.Compute?.Device, how.Compute?.Threads);
        ScratchFolder? scratch = settings!.Folder.Length == 0 ? new ScratchFolder(Internals.TempFilePath(environment)) : null;
        try
        {
            ModelPlace place = scratch is null
                ? FindWeights(settings, how.WeightsRoot)
                : ExtractWeights(context, settings, scratch);
            return SmileTransformer.Create(
                environment,
                place,
                (config, model) => new SmileColumns(settings.Columns, config, model.Inputs, model.Outputs, model.CanGenerate),
                settings.BatchSize,
                compute);
        }
        catch
        {
            scratch?.Dispose();
            throw;
        }
    }

    private static ModelPlace ExtractWeights(object context, Settings settings, ScratchFolder scratch)
    {
        ModelFolder folder = ModelFolder.Open(scratch.Path);
        foreach (SavedFile file in settings.Files)
        {
            string path = folder.PathOf(file.Name, $"{SettingsEntry} of the saved model");
            var found = new SavedFile(file.Name, file.Length, "");
            ReadEntry(context, file.Name, reader => found = Extract(reader, path, file));
            if (!settings.HasHashes)
            {
                found = LookAtEnds(path, file.Name);
            }

            if (found != file)
            {
                throw Damaged($"the entry {file.Name} has {found}; expected {file}");
            }
        }

        return new ModelPlace(scratch.Path, scratch);
    }

    private static ModelPlace FindWeights(Settings settings, string? root)
    {
        if (settings.Folder.Contains('\0', StringComparison.Ordinal))
        {
            throw Damaged($"{SettingsEntry} names a folder with a null character");
        }

        string seenFrom = Path.GetFullPath(root ?? "."), folder = Path.GetFullPath(Path.Combine(seenFrom, settings.Folder));
        string expected = $"The pipeline was saved without its weights; they are expected in {ErrorText.Quote(settings.Folder)}, "
            + (root is null ? $"seen from the current folder, {seenFrom}" : $"seen from {seenFrom}");

        // The path came with the file. An application that says where weights are is taken at its word; none follows a path to another machine
        // unasked: on Windows, even to ask whether it exists would sign on to somebody's server.
        if (root is null ? IsRemote(folder) : !IsInside(folder, seenFrom))
        {
            throw new SmileException(
                $"{ErrorText.Clip(folder)}: is {(root is null ? "on another machine" : $"outside of {seenFrom}")}. {expected}. Where the file is to be trusted, allow the folder: RegisterSmile(weightsRoot: a folder that holds it).");
        }

        if (!Directory.Exists(folder))
        {
            throw new SmileException($"{ErrorText.Clip(folder)}: there is no such folder. {expected}; RegisterSmile(weightsRoot: ...) names another.");
        }

        ModelFolder place = ModelFolder.Open(folder);
        foreach (SavedFile file in settings.Files)
        {
            string path = place.PathOf(file.Name, $"{SettingsEntry} of the saved model");
            if (!File.Exists(path))
            {
                throw new SmileException($"{path}: is missing; the pipeline was saved with it.");
            }

            if (LookAtEnds(path, file.Name) is var found && found != file)
            {
                throw new SmileException($"{path}: is another file than the pipeline was saved with: found {found}; expected {file}.");
            }
        }

        return new ModelPlace(folder, SavedPath: settings.Folder);
    }

    /// <summary>Tells whether a full path names a share or a device: two separators begin both.</summary>
    internal static bool IsRemote(string path) => path.Length > 1 && IsSeparator(path[0]) && IsSeparator(path[1]);

    private static bool IsSeparator(char c) => c == Path.DirectorySeparatorChar || c == Path.AltDirectorySeparatorChar;

    /// <summary>Tells whether a path is a folder or leads into it. Both are full paths.</summary>
    private static bool IsInside(string path, string folder)
    {
        StringComparison comparison = OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        return ModelFolder.WithSeparator(path).StartsWith(ModelFolder.WithSeparator(folder), comparison);
    }

    private static SavedFile LookAtEnds(string path, string name)
    {
        using SafeFileHandle handle = RegularFile.OpenRead(path, out _);
        try
        {
            return SavedFile.OfEnds(name, handle);
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be read", e);
        }
    }

    private static byte[] WriteSettings(Action<BinaryWriter> write)
    {
        using var content = new MemoryStream();
        using var writer = new BinaryWriter(content);
        write(writer);
        writer.Flush();
        return content.ToArray();
    }

    private static void Write(BinaryWriter writer, TaskHead head)
    {
        writer.Write(head.Name);
        writer.Write(head.Scale);
        WriteList(writer, head.ClassNames, writer.Write);

        writer.Write(head.EmbeddingSize);
        foreach (float value in head.ClassEmbeds)
        {
            writer.Write(value);
        }
    }

    private static void Write(BinaryWriter writer, GenerationSettings generation)
    {
        GenerationOptions options = generation.Options;
        writer.Write(generation.ColumnName);
        writer.Write(options.MaxNewTokens);
        writer.Write(options.Temperature);
        writer.Write(options.TopK ?? 0);
        writer.Write(options.TopP);
        writer.Write(options.Seed);
        writer.Write(options.StopTokens is not null);
        WriteList(writer, options.StopTokens ?? [], writer.Write);
    }

    private static GenerationSettings ReadGeneration(BinaryReader reader)
    {
        string name = reader.ReadString();
        var options = new GenerationOptions
        {
            MaxNewTokens = reader.ReadInt32(),
            Temperature = reader.ReadDouble(),
            TopK = reader.ReadInt32() is var topK and not 0 ? topK : null,
            TopP = reader.ReadDouble(),
            Seed = reader.ReadUInt64(),
        };
        bool ownStops = reader.ReadBoolean();
        List<int> stops = ReadList(reader, r => r.ReadInt32());
        return new GenerationSettings(name, options with { StopTokens = ownStops ? stops : null });
    }

    private static void ReadEntry(object context, string name, Action<BinaryReader> read)
    {
        try
        {
            if (!Internals.TryLoadEntry(context, name, read))
            {
                throw Damaged($"the entry {ErrorText.Quote(name)} is missing");
            }
        }
        catch (InvalidDataException e)
        {
            throw new SmileException($"The saved model is damaged: the entry {ErrorText.Quote(name)}: {e.Message}", e);
        }
    }

    private static Settings ReadSettings(BinaryReader entry)
    {
        using var hashing = new HashingStream(entry.BaseStream);
        using var reader = new BinaryReader(hashing);
        try
        {
            int version = reader.ReadInt32();
            if (version < 1)
            {
                throw Damaged($"{SettingsEntry} begins with {version}; expected the format's version");
            }

            if (version > Version)
            {
                throw new SmileException(
                    $"The model was saved in version {version} of Smile.ML's format; this Smile.ML reads versions 1 to {Version}. Load it with a newer Smile.ML.");
            }

            Dictionary<string, string> inputs = ReadList(reader, r => (r.ReadString(), r.ReadString())).ToDictionary();
            string outputName = reader.ReadString(), networkOutput = reader.ReadString(), pooling = reader.ReadString();
            int batchSize = reader.ReadInt32();
            List<TaskHead> heads = ReadList(reader, ReadHead);
            string folder = reader.ReadString();
            List<SavedFile> files = ReadList(reader, r => new SavedFile(r.ReadString(), r.ReadInt64(), r.ReadString()));
            GenerationSettings? generation = version >= GenerationVersion ? ReadList(reader, ReadGeneration).SingleOrDefault() : null;
            if (version >= HashVersion)
            {
                byte[] expected = hashing.GetHash();
                if (!entry.ReadBytes(SHA256.HashSizeInBytes).AsSpan().SequenceEqual(expected))
                {
                    throw Damaged($"{SettingsEntry} doesn't end with the hash of its content");
                }
            }

            return new Settings(
                new ColumnSettings(
                    "",
                    inputs,
                    outputName,
                    networkOutput,
                    pooling.Length == 0 ? null : Enum.Parse<TokenPooling>(pooling),
                    heads,
                    generation),
                batchSize,
                folder,
                files,
                HasHashes: version >= HashVersion);
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException or OverflowException or InvalidOperationException)
        {
            throw new SmileException($"The saved model is damaged: {SettingsEntry}: {e.Message}", e);
        }
    }

    private static TaskHead ReadHead(BinaryReader reader)
    {
        string name = reader.ReadString();
        float scale = reader.ReadSingle();
        List<string> classNames = ReadList(reader, r => r.ReadString());
        int count = checked(classNames.Count * reader.ReadInt32());
        var embeds = new List<float>();
        for (int i = 0; i < count; i++)
        {
            embeds.Add(reader.ReadSingle());
        }

        return TaskHead.Restore(name, classNames, [.. embeds], scale);
    }

    /// <summary>Reads a count and as many items. Memory follows what is there to read, not what the count claims.</summary>
    private static List<T> ReadList<T>(BinaryReader reader, Func<BinaryReader, T> readItem)
    {
        int count = reader.ReadInt32();
        if (count is < 0 or > MaxListLength)
        {
            throw new FormatException($"found a list of {count} items; expected 0 to {MaxListLength}.");
        }

        var items = new List<T>();
        for (int i = 0; i < count; i++)
        {
            items.Add(readItem(reader));
        }

        return items;
    }

    private static void WriteList<T>(BinaryWriter writer, IReadOnlyCollection<T> items, Action<T> write)
    {
        writer.Write(items.Count);
        foreach (T item in items)
        {
            write(item);
        }
    }

    /// <summary>Writes an entry's content to a file, and tells what it is.</summary>
    private static SavedFile Extract(BinaryReader reader, string path, SavedFile expected)
    {
        (string name, long length) = (expected.Name, expected.Length);
        try
        {
            using FileStream file = File.Create(path);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var chunk = new byte[(int)Math.Clamp(length, 1, ChunkLength)];
            long written = 0;
            for (int read; written <= length && (read = reader.Read(chunk, 0, chunk.Length)) > 0; written += read)
            {
                file.Write(chunk, 0, read);
                hash.AppendData(chunk, 0, read);
            }

            return written == length
                ? new SavedFile(name, length, Convert.ToHexString(hash.GetHashAndReset()))
                : throw Damaged($"the entry {name} has {(written < length ? $"{written}" : "more")} bytes; expected {length}");
        }
        catch (Exception e) when (RegularFile.IsFileFailure(e))
        {
            throw RegularFile.Failure(path, "cannot be written", e);
        }
    }

    private static SmileException Damaged(string what) => new($"The saved model is damaged: {what}.");

    /// <summary>What the settings entry holds.</summary>
    /// <param name="Columns">The columns.</param>
    /// <param name="BatchSize">The most rows to score together.</param>
    /// <param name="Folder">The path of the folder with the weights; empty where they are in the model file.</param>
    /// <param name="Files">The model's files.</param>
    /// <param name="HasHashes">Whether the fingerprints of files in the model file are of their whole content.</param>
    private sealed record Settings(ColumnSettings Columns, int BatchSize, string Folder, IReadOnlyList<SavedFile> Files, bool HasHashes);
}

using Microsoft.ML;
using Microsoft.ML.Runtime;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>
/// A transformer in an ML.NET model file: the entry <c>Smile.bin</c>, which starts with the format's version and holds columns, heads and the
/// list of the model's files, and each of these files as an entry of its own, as it is on disk.
/// </summary>
internal static class SmileModelFormat
{
    /// <summary>The newest version of the format that is read, and the one that is written.</summary>
    internal const int Version = 1;

    private const string SettingsEntry = "Smile.bin";
    private const string ModelSignature = "SMILEMDL";
    private const int ChunkLength = 1 << 20;

    /// <summary>Saves a transformer.</summary>
    public static void Save(ModelSaveContext context, SmileColumns columns, int batchSize, ModelFiles files)
    {
        Internals.SetVersionInfo(context, ModelSignature, Version, typeof(SmileModelLoader), SmileModelLoader.Signature);
        (string Name, long Length)[] entries = [.. files.Entries];
        Internals.SaveEntry(context, SettingsEntry, writer =>
        {
            writer.Write(Version);
            writer.Write(columns.InputName);
            writer.Write(columns.Names[0]);
            writer.Write(columns.Output.Name);
            writer.Write(batchSize);
            writer.Write(columns.Heads.Count);
            foreach (TaskHead head in columns.Heads)
            {
                Write(writer, head);
            }

            writer.Write(entries.Length);
            foreach ((string name, long length) in entries)
            {
                writer.Write(name);
                writer.Write(length);
            }
        });
        foreach ((string name, _) in entries)
        {
            Internals.SaveEntry(context, name, writer => files.CopyTo(name, writer));
        }
    }

    /// <summary>Loads a transformer, by way of a temporary folder.</summary>
    /// <param name="environment">Where it is to live.</param>
    /// <param name="context">ML.NET's ModelLoadContext.</param>
    /// <param name="compute">Where it is to score.</param>
    /// <exception cref="SmileException">The model was saved in a newer format, or is damaged.</exception>
    public static SmileTransformer Load(IHostEnvironment environment, object context, ComputeOptions compute)
    {
        Settings? settings = null;
        if (!Internals.TryLoadEntry(context, SettingsEntry, reader => settings = ReadSettings(reader)))
        {
            throw Damaged($"the entry {SettingsEntry} is missing");
        }

        var scratch = new ScratchFolder();
        try
        {
            ModelFolder folder = ModelFolder.Open(scratch.Path);
            foreach ((string name, long length) in settings!.Files)
            {
                string path = folder.PathOf(name, $"{SettingsEntry} of the saved model");
                if (!Internals.TryLoadEntry(context, name, reader => Extract(reader, path, name, length)))
                {
                    throw Damaged($"the entry {name} is missing");
                }
            }

            return SmileTransformer.Create(
                environment,
                scratch.Path,
                scratch,
                model => new SmileColumns(
                    settings.InputName, settings.OutputName, settings.NetworkOutput, settings.Heads, model.Inputs, model.Outputs),
                settings.BatchSize,
                compute);
        }
        catch
        {
            scratch.Dispose();
            throw;
        }
    }

    private static void Write(BinaryWriter writer, TaskHead head)
    {
        writer.Write(head.Name);
        writer.Write(head.Scale);
        writer.Write(head.ClassNames.Count);
        foreach (string name in head.ClassNames)
        {
            writer.Write(name);
        }

        writer.Write(head.EmbeddingSize);
        foreach (float value in head.ClassEmbeds)
        {
            writer.Write(value);
        }
    }

    private static Settings ReadSettings(BinaryReader reader)
    {
        try
        {
            int version = reader.ReadInt32();
            if (version is < 1 or > Version)
            {
                throw new SmileException(
                    $"The model was saved in version {version} of Smile.ML's format; this Smile.ML reads versions 1 to {Version}. Load it with a newer Smile.ML.");
            }

            return new Settings(
                reader.ReadString(),
                reader.ReadString(),
                reader.ReadString(),
                reader.ReadInt32(),
                ReadList(reader, ReadHead),
                ReadList(reader, r => (r.ReadString(), r.ReadInt64())));
        }
        catch (Exception e) when (e is IOException or FormatException or ArgumentException or OverflowException)
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
        if (count < 0)
        {
            throw new FormatException($"found a count of {count}.");
        }

        var items = new List<T>();
        for (int i = 0; i < count; i++)
        {
            items.Add(readItem(reader));
        }

        return items;
    }

    private static void Extract(BinaryReader reader, string path, string name, long length)
    {
        using FileStream file = File.Create(path);
        var chunk = new byte[ChunkLength];
        for (int read; (read = reader.Read(chunk, 0, chunk.Length)) > 0;)
        {
            file.Write(chunk, 0, read);
        }

        if (file.Length != length)
        {
            throw Damaged($"the entry {name} has {file.Length} bytes; expected {length}");
        }
    }

    private static SmileException Damaged(string what) => new($"The saved model is damaged: {what}.");

    private sealed record Settings(
        string InputName,
        string OutputName,
        string NetworkOutput,
        int BatchSize,
        IReadOnlyList<TaskHead> Heads,
        IReadOnlyList<(string Name, long Length)> Files);
}

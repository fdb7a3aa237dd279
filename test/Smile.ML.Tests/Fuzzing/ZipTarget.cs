using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>
/// ML.NET model files. Damage to the archive itself, or to parts that ML.NET reads, ends in ML.NET's errors; damage to Smile.ML's parts in
/// ours, which ML.NET wraps because it calls loaders by reflection.
/// </summary>
internal sealed class ZipTarget : FuzzTarget
{
    // The rest of the file, which ML.NET reads, is not the subject here.
    private static readonly string[] OurParts = ["Smile.bin", "config.json", "model.safetensors"];

    // Places that a saved model may name for its weights.
    private static readonly string[] Places =
    [
        "/", "/etc", "/proc/self", "/dev", "..", "../..", ".", "", "weights/..", "weights/../../..", "./weights/", "WEIGHTS", "\\\\host\\share", "C:\\weights", "weights\0", "~",
        new string('w', 100_000),
    ];

    private readonly List<(string Name, byte[] Content)> _entries;
    private readonly List<(string Name, byte[] Content)> _entriesBeside;
    private readonly byte[] _intact;
    private readonly TensorFileMutator _weights;
    private readonly MLContext _ml;

    public ZipTarget()
    {
        _ml = new MLContext(seed: 0).RegisterSmile(new ComputeOptions { Threads = 1 }, weightsRoot: Location);
        using var pool = ModelPool.Open(TinyModels.WriteMlpPool(Files["pool"]));
        var options = new SmileOptions { InputColumnName = "Pixels", OutputColumnName = "Embedding", ExpertRank = 2, RouterRank = 1, Threads = 1 };
        options.Heads.Add(TinyModels.Head("digits", 3, TinyModels.MlpOutputs));
        var schema = SchemaDefinition.Create(typeof(Row));
        IDataView rows = _ml.Data.LoadFromEnumerable([new Row()], schema);
        using (SmileTransformer transformer = _ml.Transforms.Smile(pool, options).Fit(rows))
        {
            _ml.Model.Save(transformer, null, Files["model.zip"]);
        }

        _intact = File.ReadAllBytes(Files["model.zip"]);
        _entries = Entries(Files["model.zip"]);
        (options.ModelFolder, options.WeightsInZip) = (Files["weights"], false);
        using (SmileTransformer transformer = _ml.Transforms.Smile(pool, options).Fit(rows))
        {
            _ml.Model.Save(transformer, null, Files["beside.zip"]);
        }

        _entriesBeside = Entries(Files["beside.zip"]);
        string weights = Files.Write("intact", _entries.Single(entry => IsNamed(entry.Name, "model.safetensors")).Content);
        _weights = new TensorFileMutator(weights);
    }

    public override bool ErrorsNameTheFile => false;

    public override bool IsRefusal(Exception exception) => exception switch
    {
        // Reflection's wrapping of our own error.
        TargetInvocationException { InnerException: SmileException } => true,
        TargetInvocationException => false,

        // ML.NET's: the archive is damaged, or no model, or another's.
        _ => !IsOurs(exception),
    };

    public override void Execute(Random random)
    {
        byte[] content = random.Next(4) switch
        {
            0 => ByteMutator.Mutate(random, _intact),
            1 => Write(Seal([.. _entriesBeside.Select(entry => IsNamed(entry.Name, "Smile.bin") ? entry with { Content = ChangePlace(random, entry.Content) } : entry)])),
            _ => Rewrite(random),
        };
        using var file = new MemoryStream(content);
        using var transformer = (SmileTransformer)_ml.Model.Load(file, out _);
        ModelTarget.Run(transformer.Model);
    }

    private static bool IsNamed(string entry, string name) => entry.EndsWith("/" + name, StringComparison.Ordinal) || entry == name;

    private static bool IsOurs(Exception exception)
        => exception is NullReferenceException or IndexOutOfRangeException or OutOfMemoryException or AssertFailedException
            || exception.TargetSite?.DeclaringType?.Assembly == typeof(SmileTransformer).Assembly;

    private static List<(string Name, byte[] Content)> Entries(string path)
    {
        var entries = new List<(string, byte[])>();
        using ZipArchive zip = ZipFile.OpenRead(path);
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            using var content = new MemoryStream();
            using Stream stream = entry.Open();
            stream.CopyTo(content);
            entries.Add((entry.FullName, content.ToArray()));
        }

        return entries;
    }

    private static byte[] Write(IEnumerable<(string Name, byte[] Content)> entries)
    {
        using var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, byte[] content) in entries)
            {
                using Stream stream = zip.CreateEntry(name, CompressionLevel.Fastest).Open();
                stream.Write(content);
            }
        }

        return file.ToArray();
    }

    private byte[] Rewrite(Random random)
    {
        string part = OurParts[random.Next(OurParts.Length)];
        string[] names = ["../../../" + part, "/" + part, "C:\\" + part, "..\\..\\" + part, part.ToUpperInvariant(), part + " ", "./" + part];
        var entries = new List<(string Name, byte[] Content)>();
        int kind = random.Next(8);
        foreach ((string name, byte[] content) in _entries)
        {
            if (!IsNamed(name, part))
            {
                entries.Add((name, content));
                continue;
            }

            switch (kind)
            {
                case 0:
                    break;
                case 1:
                    entries.Add((name.Replace(part, names[random.Next(names.Length)], StringComparison.Ordinal), content));
                    break;
                case 2:
                    // A bomb, if a small one: a few kilobytes that unpack to a megabyte.
                    entries.Add((name, [.. Change(random, part, content), .. new byte[1 << 20]]));
                    break;
                case 3:
                    // The same name twice, with other contents.
                    entries.Add((name, random.Next(2) == 0 ? content : Change(random, part, content)));
                    entries.Add((name, Change(random, part, content)));
                    break;
                default:
                    entries.Add((name, Change(random, part, content)));
                    break;
            }
        }

        return Write(random.Next(4) == 0 ? entries : Seal(entries));
    }

    /// <summary>
    /// Writes the hashes anew, as whoever means harm would: lengths and fingerprints of the model's files in the settings, and the settings' own.
    /// </summary>
    private IEnumerable<(string Name, byte[] Content)> Seal(IReadOnlyList<(string Name, byte[] Content)> entries)
    {
        foreach ((string name, byte[] content) in entries)
        {
            byte[] settings = content;
            if (IsNamed(name, "Smile.bin") && content.Length > SHA256.HashSizeInBytes)
            {
                settings = content[..^SHA256.HashSizeInBytes];
                foreach (string file in OurParts[1..])
                {
                    byte[] old = Describe(file, _entries.Single(entry => IsNamed(entry.Name, file)).Content);
                    byte[]? changed = entries.FirstOrDefault(entry => IsNamed(entry.Name, file)).Content;
                    int at = settings.AsSpan().IndexOf(old);
                    settings = at < 0 || changed is null ? settings : [.. settings[..at], .. Describe(file, changed), .. settings[(at + old.Length)..]];
                }

                settings = [.. settings, .. SHA256.HashData(settings)];
            }

            yield return (name, settings);
        }
    }

    private static byte[] Describe(string name, byte[] content)
        => [.. Text(name), .. BitConverter.GetBytes((long)content.Length), .. Text(Convert.ToHexString(SHA256.HashData(content)))];

    /// <summary>Changes the place that the settings name for the weights.</summary>
    private byte[] ChangePlace(Random random, byte[] settings)
    {
        byte[] old = Text(Files["weights"]);
        int at = settings.AsSpan().IndexOf(old);
        return random.Next(3) == 0
            ? ByteMutator.Mutate(random, settings)
            : [.. settings[..at], .. Text(Places[random.Next(Places.Length)]), .. settings[(at + old.Length)..]];
    }

    private static byte[] Text(string text)
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream))
        {
            writer.Write(text);
        }

        return stream.ToArray();
    }

    private byte[] Change(Random random, string part, byte[] content)
        => part == "model.safetensors" && random.Next(2) == 0 ? _weights.Create(random) : ByteMutator.Mutate(random, content);

    private sealed class Row
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = new float[TinyModels.MlpInputs];
    }
}

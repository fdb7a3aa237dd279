using System.IO.Compression;
using System.Reflection;
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

    private readonly List<(string Name, byte[] Content)> _entries = [];
    private readonly byte[] _intact;
    private readonly TensorFileMutator _weights;
    private readonly MLContext _ml = new MLContext(seed: 0).RegisterSmile(new ComputeOptions { Threads = 1 });

    public ZipTarget()
    {
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
        using ZipArchive zip = ZipFile.OpenRead(Files["model.zip"]);
        foreach (ZipArchiveEntry entry in zip.Entries)
        {
            using var content = new MemoryStream();
            using Stream stream = entry.Open();
            stream.CopyTo(content);
            _entries.Add((entry.FullName, content.ToArray()));
        }

        string weights = Files.Write("weights", _entries.Single(entry => IsNamed(entry.Name, "model.safetensors")).Content);
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
        using var file = new MemoryStream(random.Next(4) == 0 ? ByteMutator.Mutate(random, _intact) : Rewrite(random));
        using var transformer = (SmileTransformer)_ml.Model.Load(file, out _);
        ModelTarget.Run(transformer.Model);
    }

    private static bool IsNamed(string entry, string name) => entry.EndsWith("/" + name, StringComparison.Ordinal) || entry == name;

    private static bool IsOurs(Exception exception)
        => exception is NullReferenceException or IndexOutOfRangeException or OutOfMemoryException or AssertFailedException
            || exception.TargetSite?.DeclaringType?.Assembly == typeof(SmileTransformer).Assembly;

    private byte[] Rewrite(Random random)
    {
        string part = OurParts[random.Next(OurParts.Length)];
        using var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create, leaveOpen: true))
        {
            int kind = random.Next(8);
            foreach ((string name, byte[] content) in _entries)
            {
                bool chosen = IsNamed(name, part);
                if (chosen && kind == 0)
                {
                    continue;
                }

                string newName = chosen && kind == 1 ? name.Replace(part, "../../../" + part, StringComparison.Ordinal) : name;
                byte[] newContent = !chosen || kind < 2 ? content : Change(random, part, content);
                using Stream stream = zip.CreateEntry(newName, CompressionLevel.Fastest).Open();
                stream.Write(newContent);
                if (chosen && kind == 2)
                {
                    // A bomb, if a small one: a few kilobytes that unpack to a megabyte.
                    stream.Write(new byte[1 << 20]);
                }
            }
        }

        return file.ToArray();
    }

    private byte[] Change(Random random, string part, byte[] content)
        => part == "model.safetensors" && random.Next(2) == 0 ? _weights.Create(random) : ByteMutator.Mutate(random, content);

    private sealed class Row
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = new float[TinyModels.MlpInputs];
    }
}

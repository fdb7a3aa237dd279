using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Pipeline;

[TestClass]
public sealed class SmileSavingTests : PipelineTest
{
    private static readonly string[] FloatColumns = ["Embedding", "digits.Score", "signs.Score"];
    private static readonly float[][] Rows = TinyModels.Rows(9, TinyModels.MlpInputs);

    [TestMethod]
    public void ALoadedPipelineScoresBitByBitAsTheSavedOne()
    {
        IDataView data = Load(Rows);
        TransformerChain<SmileTransformer> model = Ml.Transforms.CopyColumns("Copy", "Id")
            .Append(Ml.Transforms.Smile(Mlp, OptionsWithHeads)).Fit(data);
        IDataView expected = model.Transform(data);
        Ml.Model.Save(model, data.Schema, ModelPath);

        // Saved again from what was loaded, so that nothing gets lost or rounded on the way.
        MLContext other = new MLContext().RegisterSmile();
        ITransformer loaded = other.Model.Load(ModelPath, out DataViewSchema schema);
        other.Model.Save(loaded, schema, ModelPath + "2");
        ITransformer again = other.Model.Load(ModelPath + "2", out _);
        foreach (ITransformer transformer in new[] { loaded, again })
        {
            IDataView found = transformer.Transform(data);
            CollectionAssert.AreEqual(
                expected.Schema.Select(column => column.ToString()).ToArray(), found.Schema.Select(column => column.ToString()).ToArray());
            foreach (string column in FloatColumns)
            {
                AssertSameBits(Column(expected, column), Column(found, column));
            }

            CollectionAssert.AreEqual(
                expected.GetColumn<uint>("digits.PredictedLabel").ToArray(), found.GetColumn<uint>("digits.PredictedLabel").ToArray());
            VBuffer<ReadOnlyMemory<char>> names = default;
            found.Schema["digits.PredictedLabel"].GetKeyValues(ref names);
            Assert.AreEqual("digits 4", names.GetItemOrDefault(4).ToString());
            (transformer as IDisposable)!.Dispose();
        }

        model.Dispose();
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("register")]
    public void AFreshProcessLoadsAndLeavesNothingBehind(string registration)
    {
        using SmileTransformer transformer = Fit(Options);
        IDataView data = Load(Rows);
        Ml.Model.Save(transformer, data.Schema, ModelPath);
        string rows = Path.Combine(Folder, "rows"), output = Path.Combine(Folder, "output");
        string temporary = Directory.CreateDirectory(Path.Combine(Folder, "tmp")).FullName;
        File.WriteAllBytes(rows, MemoryMarshal.AsBytes<float>([.. Rows.SelectMany(row => row)]));

        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Smile.ML.LoadCheck.dll"), ModelPath, rows, output, registration])
        {
            RedirectStandardError = true,
        };
        foreach (string variable in (string[])["TMPDIR", "TMP", "TEMP"])
        {
            start.Environment[variable] = temporary;
        }

        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();

        Assert.AreEqual(0, process.ExitCode, errors);
        AssertSameBits(
            Column(transformer.Transform(data), "Embedding"),
            [.. MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(output)).ToArray().Chunk(TinyModels.MlpOutputs)]);
        Assert.IsEmpty(Directory.GetFileSystemEntries(temporary));
    }

    [TestMethod]
    public void TemporaryFilesGoWhereTheContextSays()
    {
        using var place = new TemporaryFolder();
        Save();
        using var watcher = new FileSystemWatcher(place.Path, ScratchFolder.Prefix + "*") { NotifyFilter = NotifyFilters.DirectoryName };
        using var seen = new CountdownEvent(2);
        watcher.Created += (_, _) => seen.Signal();
        watcher.EnableRaisingEvents = true;
        SmileEstimator estimator = Ml.Transforms.Smile(Mlp, Options);
        Ml.TempFilePath = place.Path;
        estimator.Fit(Load(Rows)).Dispose();
        (new MLContext { TempFilePath = place.Path }.Model.Load(ModelPath, out _) as IDisposable)?.Dispose();
        Assert.IsTrue(seen.Wait(TimeSpan.FromSeconds(30)));
        Assert.IsEmpty(Directory.GetFileSystemEntries(place.Path));

        string nowhere = Path.Combine(place.Path, "file");
        File.WriteAllText(nowhere, "");
        Ml.TempFilePath = nowhere;
        Assert.StartsWith(nowhere, Assert.ThrowsExactly<SmileException>(() => estimator.Fit(Load(Rows))).Message);
    }

    [TestMethod]
    public void TheFileHoldsThePlainFusedModel()
    {
        string fused = Path.Combine(Folder, "fused"), extracted = Path.Combine(Folder, "extracted");
        Fuse(fused);
        using SmileTransformer transformer = Fit(Options);
        Ml.Model.Save(transformer, null, ModelPath);
        Directory.CreateDirectory(extracted);
        using (ZipArchive zip = ZipFile.OpenRead(ModelPath))
        {
            foreach (string name in (string[])["config.json", "model.safetensors"])
            {
                zip.Entries.Single(entry => entry.Name == name).ExtractToFile(Path.Combine(extracted, name));
                CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(fused, name)), File.ReadAllBytes(Path.Combine(extracted, name)));
            }
        }

        using SmileModel model = SmileModel.Load(extracted);
        AssertSameBits(Column(transformer.Transform(Load(Rows)), "Embedding"), Run(model, Rows));
    }

    [TestMethod]
    public void ANewerFormatIsRefusedWithBothVersions()
    {
        Save();
        ChangeSettings(settings => settings[0] = 7);

        SmileException error = LoadError();
        Assert.Contains("version 7", error.Message);
        Assert.Contains($"1 to {SmileModelFormat.Version}", error.Message);
    }

    [TestMethod]
    public void ADamagedFileIsRefused()
    {
        Save();
        foreach (string damaged in (string[])["Smile.bin", "config.json", "model.safetensors"])
        {
            byte[] intact = File.ReadAllBytes(ModelPath);
            ChangeEntry(damaged, content => content.Length > 8 ? content[..^8] : []);
            SmileException error = LoadError();
            Assert.Contains(damaged, error.Message);
            File.WriteAllBytes(ModelPath, intact);
        }

        LoadAgain().Dispose();
    }

    [TestMethod]
    [DataRow("Smile.bin")]
    [DataRow("config.json")]
    [DataRow("model.safetensors")]
    public void AChangedBitIsNoticed(string name)
    {
        Save();
        byte[] intact = File.ReadAllBytes(ModelPath);
        var random = new Random(1);
        for (int i = 0; i < 25; i++)
        {
            ChangeEntry(name, content =>
            {
                content[random.Next(content.Length)] ^= (byte)(1 << random.Next(8));
                return content;
            });
            LoadError();
            File.WriteAllBytes(ModelPath, intact);
        }
    }

    [TestMethod]
    public void FileNamesThatLeadElsewhereAreRefused()
    {
        Save();
        ChangeSettings(settings =>
        {
            int at = settings.AsSpan().IndexOf("config.json"u8);
            "../fig.json"u8.CopyTo(settings.AsSpan(at));
        });

        Assert.Contains("../fig.json", LoadError().Message);
    }

    [TestMethod]
    public void TheLoadersChooseWhereAModelRuns()
    {
        Save();

        Assert.Contains("abacus", LoadError(new ComputeOptions { Device = "abacus" }).Message);
        LoadAgain().Dispose();
    }

    [TestMethod]
    public void WeightsMayStayInTheirFolder()
    {
        string folder = Path.Combine(Folder, "weights"), moved = Path.Combine(Folder, "elsewhere", "weights");
        SmileOptions options = OptionsWithHeads;
        (options.ModelFolder, options.WeightsInZip) = (folder, false);
        using SmileTransformer transformer = Fit(options);
        float[][] expected = Column(transformer.Transform(Load(Rows)), "Embedding");
        Ml.Model.Save(transformer, null, ModelPath);
        using (ZipArchive zip = ZipFile.OpenRead(ModelPath))
        {
            Assert.IsFalse(zip.Entries.Any(entry => entry.Name is "model.safetensors" or "config.json"));
        }

        for (int generation = 0; generation < 2; generation++)
        {
            using SmileTransformer loaded = LoadAgain(root: Folder);
            AssertSameBits(expected, Column(loaded.Transform(Load(Rows)), "Embedding"));
            Ml.Model.Save(loaded, null, ModelPath);
        }

        Assert.Contains("not empty", Assert.ThrowsExactly<SmileException>(() => Fit(options)).Message);
        Directory.CreateDirectory(Path.GetDirectoryName(moved)!);
        Directory.Move(folder, moved);
        Assert.Contains($"{folder}: there is no such folder", LoadError(root: Folder).Message);
    }

    [TestMethod]
    public void AnApplicationConfinesWhereWeightsAre()
    {
        // Two folders whose names begin alike: inside is not what begins with the same letters.
        string root = Path.Combine(Folder, "root"), folder = Path.Combine(Folder, "root-weights");
        Directory.CreateDirectory(root);
        TinyModels.WriteMlp(folder, maxShardBytes: long.MaxValue);
        using SmileTransformer transformer = Ml.Transforms.ApplySmileModel(folder, new() { InputColumnName = "Pixels", WeightsInZip = false }).Fit(Load(Rows));
        Ml.Model.Save(transformer, null, ModelPath);
        foreach (string elsewhere in (string[])[root, Path.Combine(folder, "inner"), Environment.CurrentDirectory])
        {
            SmileException error = LoadError(root: elsewhere);
            Assert.Contains($"{folder}: is outside of {elsewhere}", error.Message);
            Assert.Contains("RegisterSmile", error.Message);
        }

        foreach (string? parent in (string?[])[null, folder, Folder, Path.GetPathRoot(folder)])
        {
            LoadAgain(root: parent).Dispose();
        }

        // A relative path that climbs out is no better than a rooted one.
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, folder);
        Assert.StartsWith("..", relative);
        using SmileTransformer climbing = Ml.Transforms.ApplySmileModel(relative, new() { InputColumnName = "Pixels", WeightsInZip = false }).Fit(Load(Rows));
        Ml.Model.Save(climbing, null, ModelPath);
        LoadAgain().Dispose();
        Assert.Contains($"{folder}: is outside of {Environment.CurrentDirectory}", LoadError(root: Environment.CurrentDirectory).Message);
    }

    [TestMethod]
    public void PathsToOtherMachinesAreTold()
    {
        char separator = Path.DirectorySeparatorChar;
        Assert.IsTrue(SmileModelFormat.IsRemote($"{separator}{separator}server{separator}share"));
        Assert.IsFalse(SmileModelFormat.IsRemote(Folder));
        Assert.IsFalse(SmileModelFormat.IsRemote($"{separator}"));
    }

    [TestMethod]
    public void ARelativeFolderIsSeenFromTheCurrentOneOrTheRoot()
    {
        string relative = $"weights-{Guid.NewGuid()}", folder = Path.GetFullPath(relative), root = Path.Combine(Folder, "root");
        Directory.CreateDirectory(root);
        TinyModels.WriteMlp(folder, maxShardBytes: 600);
        try
        {
            using SmileTransformer transformer = Ml.Transforms
                .ApplySmileModel(relative, new() { InputColumnName = "Pixels", WeightsInZip = false }).Fit(Load(Rows));
            float[][] expected = Column(transformer.Transform(Load(Rows)), "Embedding");
            Ml.Model.Save(transformer, null, ModelPath);
            using (SmileTransformer loaded = LoadAgain())
            {
                AssertSameBits(expected, Column(loaded.Transform(Load(Rows)), "Embedding"));
            }

            foreach (string file in Directory.GetFiles(folder))
            {
                Directory.CreateDirectory(Path.Combine(root, relative));
                File.Move(file, Path.Combine(root, relative, Path.GetFileName(file)));
            }

            Directory.Delete(folder);
            SmileException error = LoadError();
            Assert.Contains(folder, error.Message);
            Assert.Contains("RegisterSmile", error.Message);
            using var found = (SmileTransformer)new MLContext().RegisterSmile(weightsRoot: root).Model.Load(ModelPath, out _);
            AssertSameBits(expected, Column(found.Transform(Load(Rows)), "Embedding"));
        }
        finally
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    [TestMethod]
    public void OtherWeightsThanTheSavedOnesAreRefused()
    {
        string folder = Path.Combine(Folder, "weights");
        TinyModels.WriteMlp(folder, maxShardBytes: long.MaxValue);
        using (SmileTransformer transformer = Ml.Transforms.ApplySmileModel(folder, new() { InputColumnName = "Pixels", WeightsInZip = false }).Fit(Load(Rows)))
        {
            Ml.Model.Save(transformer, null, ModelPath);
        }

        string weights = Path.Combine(folder, "model.safetensors");
        byte[] intact = File.ReadAllBytes(weights), trainedAgain = [.. intact];
        trainedAgain[^1] ^= 1;
        File.WriteAllBytes(weights, trainedAgain);
        SmileException error = LoadError(root: Folder);
        Assert.Contains(weights, error.Message);
        Assert.Contains("another file", error.Message);

        File.Delete(weights);
        Assert.Contains("model.safetensors: is missing", LoadError(root: Folder).Message);
        File.WriteAllBytes(weights, intact);
        LoadAgain(root: Folder).Dispose();
    }

    [TestMethod]
    public void AShardedModelIsSavedWithItsShardsAlone()
    {
        string sharded = Path.Combine(Folder, "sharded");
        TinyModels.WriteMlp(sharded, maxShardBytes: 600);
        File.WriteAllText(Path.Combine(sharded, "notes.txt"), "not part of the model");
        using SmileTransformer transformer = Ml.Transforms.ApplySmileModel(sharded, new() { InputColumnName = "Pixels" }).Fit(Load(Rows));
        Ml.Model.Save(transformer, null, ModelPath);

        using (ZipArchive zip = ZipFile.OpenRead(ModelPath))
        {
            Assert.IsFalse(zip.Entries.Any(entry => entry.Name == "notes.txt"));
            Assert.IsGreaterThan(1, zip.Entries.Count(entry => entry.Name.EndsWith(".safetensors", StringComparison.Ordinal)));
        }

        using var loaded = LoadAgain();
        AssertSameBits(Column(transformer.Transform(Load(Rows)), "Embedding"), Column(loaded.Transform(Load(Rows)), "Embedding"));
    }

    private void Save()
    {
        using SmileTransformer transformer = Fit(OptionsWithHeads);
        Ml.Model.Save(transformer, null, ModelPath);
    }

    private SmileTransformer LoadAgain(ComputeOptions? compute = null, string? root = null)
        => (SmileTransformer)new MLContext().RegisterSmile(compute, root).Model.Load(ModelPath, out _);

    /// <summary>Gets what loading fails with. ML.NET calls loaders by reflection, which wraps it.</summary>
    private SmileException LoadError(ComputeOptions? compute = null, string? root = null)
    {
        Exception error = Assert.Throws<Exception>(() => LoadAgain(compute, root));
        return (SmileException)(error is TargetInvocationException ? error.InnerException! : error);
    }

    /// <summary>Changes the settings, and their hash with them: what somebody might write, not what a disk might do.</summary>
    private void ChangeSettings(Action<byte[]> change) => ChangeEntry("Smile.bin", content =>
    {
        byte[] settings = content[..^SHA256.HashSizeInBytes];
        change(settings);
        return [.. settings, .. SHA256.HashData(settings)];
    });
}

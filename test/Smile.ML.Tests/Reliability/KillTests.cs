using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.Data;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Reliability;

/// <summary>
/// Processes that write models are killed at random moments. <c>SMILE_KILL_CASES</c> and <c>SMILE_KILL_SEED</c> set how many are killed of each
/// kind, and when.
/// </summary>
[TestClass]
[DoNotParallelize]
public sealed class KillTests
{
    private static readonly int[] Widths = [192, 192, 192, 192];

    [TestMethod]
    [DataRow("fuse")]
    [DataRow("merge")]
    public void AKilledRunLeavesTheOldFolderOrTheNewOneOrNone(string command)
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 3, Widths), output = folder["out"];
        string[] run = [.. command == "fuse" ? ["fuse", "--expert-rank", "16"] : (string[])["merge", "--method", "ties"], "--pool", pool, "--output", output, "--force"];
        using (var models = ModelPool.Open(pool))
        {
            new SmileFusion(new SmileFusionOptions { ExpertRank = 1, RouterRank = 1 }).Fuse(models, folder["old"]);
        }

        long start = Stopwatch.GetTimestamp();
        using (Process whole = Start("smile.dll", run))
        {
            whole.WaitForExit();
            Assert.AreEqual(0, whole.ExitCode);
        }

        TimeSpan length = Stopwatch.GetElapsedTime(start);
        Directory.Move(output, folder["new"]);
        int published = 0, kept = 0, removed = 0;
        var random = new Random(Setting("SMILE_KILL_SEED", 1));
        int cases = Setting("SMILE_KILL_CASES", 5);
        for (int i = 0; i < cases; i++)
        {
            bool replaces = i % 2 == 0;
            if (replaces)
            {
                CopyFolder(folder["old"], output);
            }

            using (Process process = Start("smile.dll", run))
            {
                // Mostly the later part of its life: at first it only starts up.
                Kill(process, length * (0.3 + (0.8 * random.NextDouble())));
            }

            if (Directory.Exists(output))
            {
                bool isNew = Same(folder["new"], output);
                Assert.IsTrue(isNew || (replaces && Same(folder["old"], output)), $"Case {i}: neither the old output nor the new one");
                published += isNew ? 1 : 0;
                kept += isNew ? 0 : 1;
            }
            else if (replaces)
            {
                // Killed between the two renames: the old output waits, whole, for the next run.
                string former = Directory.GetDirectories(folder.Path, ".out.smile-*.old").Single();
                Assert.IsTrue(Same(folder["old"], former), $"Case {i}: the old output is damaged");
            }

            removed += folder.Names().Count(name => name.StartsWith(".out.smile-", StringComparison.Ordinal));
            Assert.IsTrue(
                folder.Names().All(name => name.StartsWith(".out.smile-", StringComparison.Ordinal) || name is "new" or "old" or "out" or "pool"), string.Join(", ", folder.Names()));
            using (var models = ModelPool.Open(pool))
            {
                new SmileFusion(new SmileFusionOptions { ExpertRank = 1, RouterRank = 1 }).Fuse(models, output, overwrite: true);
            }

            CollectionAssert.AreEqual(new[] { "new", "old", "out", "pool" }, folder.Names(), $"Case {i}: leftovers");
            Directory.Delete(output, recursive: true);
        }

        Console.WriteLine($"{command}: {cases} killed; {published} had published, {kept} had left the old output; {removed} leftovers removed by the next runs");
    }

    [TestMethod]
    public void AKilledSaveLeavesTheOldFileOrTheNewOne()
    {
        using var folder = new TemporaryFolder();
        var ml = new MLContext(seed: 0);
        using var pool = ModelPool.Open(TinyModels.WriteMlpPool(folder["pool"]));
        var schema = SchemaDefinition.Create(typeof(Row));
        IDataView rows = ml.Data.LoadFromEnumerable([new Row()], schema);
        using SmileTransformer transformer = ml.Transforms.Smile(pool, new SmileOptions { InputColumnName = "Pixels", OutputColumnName = "Embedding", Threads = 1 }).Fit(rows);
        string source = folder["source.zip"], target = folder["model.zip"];
        ml.Model.Save(transformer, rows.Schema, source);
        byte[] old = [1, 2, 3];
        var random = new Random(Setting("SMILE_KILL_SEED", 1));
        int published = 0, cases = Setting("SMILE_KILL_CASES", 5);
        for (int i = 0; i < cases; i++)
        {
            File.WriteAllBytes(target, old);
            using (Process process = Start("Smile.ML.LoadCheck.dll", ["save", source, target]))
            {
                // It saves over and over from its first word on; some are killed at the first one.
                if (random.Next(2) == 0)
                {
                    process.StandardOutput.ReadLine();
                }

                Kill(process, TimeSpan.FromMilliseconds(random.Next(400)));
            }

            if (!File.ReadAllBytes(target).SequenceEqual(old))
            {
                ((IDisposable)new MLContext().RegisterSmile().Model.Load(target, out _)).Dispose();
                published++;
            }

            ml.Model.SaveAtomically(transformer, rows.Schema, target);
            CollectionAssert.AreEqual(new[] { "model.zip", "pool", "source.zip" }, folder.Names(), $"Case {i}: leftovers");
        }

        Console.WriteLine($"save: {cases} killed; {published} had published");
    }

    [TestMethod]
    [DataRow("analyze")]
    [DataRow("run")]
    [DataRow("eval")]
    public void AKilledCommandLeavesTheOldFileOrTheNewOne(string command)
    {
        using var folder = new TemporaryFolder();
        string pool = TinyModels.WriteClipPool(folder["pool"], 2), model = Path.Combine(pool, "_pretrained_"), target = folder["target"];
        var random = new Random(Setting("SMILE_KILL_SEED", 1));
        TensorFile.Write(folder["in"], new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(random, 1, 64, 3, 8, 8) });
        TensorFile.Write(folder["t_test.safetensors"], new Dictionary<string, HostTensor>
        {
            ["images"] = TestPool.Gaussian(random, 1, 6, 3, 8, 8),
            ["labels"] = HostTensor.FromIntegers([6], [0, 1, 2, 0, 1, 2]),
        });
        TensorFile.Write(folder["heads/t.safetensors"], new Dictionary<string, HostTensor>
        {
            ["class_embeds"] = TestPool.Gaussian(random, 1, 3, TinyModels.ClipEmbedding),
            ["logit_scale"] = HostTensor.FromFloats([1], [100]),
        });
        string[] arguments = command switch
        {
            "analyze" => ["analyze", "--pool", pool, "--report", target],
            "run" => ["run", "--model", model, "--inputs", folder["in"], "--outputs", target],
            _ => ["eval", "--model", model, "--heads", folder["heads"], "--data", folder.Path, "--json", target],
        };
        TimeSpan length = Whole();
        string[] names = folder.Names();
        byte[] whole = File.ReadAllBytes(target), old = [1, 2, 3];
        int published = 0, removed = 0, cases = Setting("SMILE_KILL_CASES", 4);
        for (int i = 0; i < cases; i++)
        {
            File.WriteAllBytes(target, old);
            using (Process process = Start("smile.dll", arguments))
            {
                Kill(process, length * (0.5 + (0.6 * random.NextDouble())));
            }

            byte[] found = File.ReadAllBytes(target);
            published += found.SequenceEqual(old) ? 0 : 1;
            bool isWhole = command == "analyze" ? found.AsSpan().TrimEnd("\n"u8).EndsWith("</html>"u8) : found.SequenceEqual(whole);
            Assert.IsTrue(isWhole || found.SequenceEqual(old), $"Case {i}: neither the old file nor the new one");
            removed += folder.Names().Count(name => name.StartsWith(".target.smile-", StringComparison.Ordinal));
            Assert.IsTrue(
                folder.Names().All(name => name.StartsWith(".target.smile-", StringComparison.Ordinal) || names.Contains(name)), string.Join(", ", folder.Names()));
        }

        Whole();
        CollectionAssert.AreEqual(names, folder.Names(), "leftovers");
        Console.WriteLine($"{command}: {cases} killed; {published} had published; {removed} leftovers seen, all removed by the next runs");

        TimeSpan Whole()
        {
            long start = Stopwatch.GetTimestamp();
            using Process process = Start("smile.dll", arguments);
            string output = process.StandardOutput.ReadToEnd(), errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.AreEqual(0, process.ExitCode, output + errors);
            return Stopwatch.GetElapsedTime(start);
        }
    }

    private static int Setting(string name, int standard)
        => Environment.GetEnvironmentVariable(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : standard;

    private static Process Start(string assembly, string[] arguments)
        => Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, assembly), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true })!;

    private static void Kill(Process process, TimeSpan delay)
    {
        if (!process.WaitForExit(delay))
        {
            // SIGKILL, on Unix.
            process.Kill();
        }

        process.WaitForExit();
    }

    private static bool Same(string expected, string found)
    {
        string[] names = [.. Directory.GetFiles(expected).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];
        return Directory.GetFiles(found).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal).SequenceEqual(names)
            && names.All(name => File.ReadAllBytes(Path.Combine(expected, name)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(found, name))));
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    private sealed class Row
    {
        [VectorType(TinyModels.MlpInputs)]
        public float[] Pixels { get; set; } = new float[TinyModels.MlpInputs];
    }
}

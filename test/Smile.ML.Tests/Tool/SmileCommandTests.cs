using System.Diagnostics;
using System.Text.Json;
using Smile.ML.Checkpoints;
using Smile.ML.Networks;
using Smile.ML.Tests.Checkpoints;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Tool;

/// <summary>The command as a user calls it: a process with arguments, an exit code, and files.</summary>
[TestClass]
public sealed class SmileCommandTests
{
    [TestMethod]
    public void FusesRunsAndInspects()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteClip(folder, 3);
        (int code, string output, _) = Run("fuse", "--pool", pool, "--output", folder["fused"], "--expert-rank", "4", "--router-rank", "2", "--keep", "visual_projection");
        Assert.AreEqual(0, code, output);
        StringAssert.Contains(output, "Fused 3 experts: a, b, c");
        StringAssert.Contains(output, "visual_projection: kept by pattern");

        TensorFile.Write(folder["in.safetensors"], new Dictionary<string, HostTensor> { ["pixel_values"] = TestPool.Gaussian(new Random(2), 1, 2, 3, 8, 8) });
        Assert.AreEqual(0, Run("run", "--model", folder["fused"], "--inputs", folder["in.safetensors"], "--outputs", folder["out.safetensors"], "--routing", folder["routing.safetensors"]).Code);
        Dictionary<string, HostTensor> outputs = TensorFile.Read(folder["out.safetensors"]), routing = TensorFile.Read(folder["routing.safetensors"]);
        CollectionAssert.AreEqual(new long[] { 2, 12 }, outputs["image_embeds"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 2, 5, 16 }, outputs["last_hidden_state"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 10, 1 }, routing["vision_model.encoder.layers.1.mlp.fc2/selected_experts"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 10, 3 }, routing["vision_model.encoder.layers.1.mlp.fc2/router_logits"].Shape.ToArray());
        Assert.HasCount(12 * 3, routing);

        using JsonDocument summary = JsonDocument.Parse(Run("inspect", folder["fused"], "--json").Output);
        Assert.AreEqual(3, summary.RootElement.GetProperty("experts").GetInt32());
        Assert.AreEqual(13, summary.RootElement.GetProperty("layers").GetArrayLength());
        StringAssert.Contains(Run("inspect", Path.Combine(pool, "_pretrained_")).Output, "linear layers 13, routed 0");
    }

    [TestMethod]
    public void HeadsThatDifferStayEachTasksOwn()
    {
        using var folder = new TemporaryFolder();
        HeadPool models = new HeadPool(folder, "bert").Pretrained(null, bare: true).Expert("cola", 2).Expert("mnli", 3);
        string[] pool = ["--pretrained", folder["_pretrained_"], "--expert", $"cola={folder["cola"]}", "--expert", $"mnli={folder["mnli"]}", "--output", folder["out"]];
        (int code, string output, string error) = Run(["fuse", .. pool]);
        Assert.AreEqual(0, code, error);
        StringAssert.Contains(output, "classifier: cola, mnli");
        StringAssert.Contains(Run("inspect", folder["out"]).Output, "classifier: cola, mnli");

        TensorFile.Write(folder["in.safetensors"], models.Inputs());
        Assert.AreEqual(0, Run("run", "--model", folder["out"], "--inputs", folder["in.safetensors"], "--outputs", folder["out.safetensors"]).Code);
        Dictionary<string, HostTensor> outputs = TensorFile.Read(folder["out.safetensors"]);
        CollectionAssert.AreEqual(new long[] { 2, 2 }, outputs["cola.logits"].Shape.ToArray());
        CollectionAssert.AreEqual(new long[] { 2, 3 }, outputs["mnli.logits"].Shape.ToArray());

        (code, _, error) = Run(["merge", "--method", "ties", .. pool, "--force"]);
        Assert.AreEqual(1, code);
        StringAssert.Contains(error, "head classifier");
    }

    [TestMethod]
    public void MergesIntoAPlainModel()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteClip(folder, 3);
        (int code, string output, _) = Run("merge", "--method", "ties", "--set", "keep=0.5", "--set", "merge=mean", "--pool", pool, "--output", folder["merged"], "--dtype", "bf16");
        Assert.AreEqual(0, code, output);
        StringAssert.Contains(output, "Merged 3 experts by ties keep=0.5 merge=mean scale=0.3: a, b, c");
        using JsonDocument summary = JsonDocument.Parse(Run("inspect", folder["merged"], "--json").Output);
        Assert.AreEqual("clip_vision_model", summary.RootElement.GetProperty("modelType").GetString());
        Assert.AreEqual(0, summary.RootElement.GetProperty("experts").GetInt32());

        using JsonDocument list = JsonDocument.Parse(Run("merge", "--list", "--json").Output);
        JsonElement ties = list.RootElement.EnumerateArray().Single(method => method.GetProperty("name").GetString() == "ties");
        Assert.AreEqual("a number in (0, 1]", ties.GetProperty("parameters")[0].GetProperty("expected").GetString());
        StringAssert.Contains(Run("merge", "--list").Output, "keep=0.2");
    }

    [TestMethod]
    public void RunsAndInspectsAnAdapterAndFusesItWithAModel()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 1, [6, 8, 5]), pretrained = Path.Combine(pool, "_pretrained_");
        string adapter = TestAdapter.Write(folder["adapter"], TestAdapter.Config(), TestAdapter.MlpFactors(1, 2, 6, 8, 5));
        TensorFile.Write(folder["in.safetensors"], new Dictionary<string, HostTensor> { ["x"] = TestPool.Gaussian(new Random(2), 1, 4, 6) });
        Assert.AreEqual(0, Run("run", "--model", adapter, "--base", pretrained, "--inputs", folder["in.safetensors"], "--outputs", folder["out.safetensors"]).Code);
        CollectionAssert.AreEqual(new long[] { 4, 5 }, TensorFile.Read(folder["out.safetensors"])["output"].Shape.ToArray());
        (int code, _, string error) = Run("run", "--model", adapter, "--inputs", folder["in.safetensors"], "--outputs", folder["other.safetensors"]);
        Assert.AreEqual(1, code);
        StringAssert.Contains(error, "expected that base as well");

        StringAssert.Contains(Run("inspect", adapter).Output, "LoRA          2 modules, rank 2");
        using JsonDocument summary = JsonDocument.Parse(Run("inspect", adapter, "--json").Output);
        Assert.AreEqual(1.5, summary.RootElement.GetProperty("adaptedModules")[0].GetProperty("scale").GetDouble());

        (code, string output, error) = Run(
            "fuse", "--pretrained", pretrained, "--expert", $"lora={adapter}", "--expert", $"full={Path.Combine(pool, "a")}", "--output", folder["fused"]);
        Assert.AreEqual(0, code, error);
        StringAssert.Contains(output, "Fused 2 experts: lora, full");
    }

    [TestMethod]
    public void AnalyzesAPool()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteClip(folder, 3);
        (int code, string output, string error) = Run("analyze", "--pool", pool, "--report", folder["report.html"], "--router-rank", "2");
        Assert.AreEqual(0, code, error);
        StringAssert.Contains(output, "With --heads and --data");
        StringAssert.Contains(File.ReadAllText(folder["report.html"]), "Smile.ML report");
        CollectionAssert.AreEquivalent(new[] { "pool", "report.html" }, folder.Names());
        Assert.AreEqual(1, Run("analyze", "--pool", pool, "--report", folder["missing/report.html"]).Code);
        Assert.AreEqual(2, Run("analyze", "--pool", pool).Code);
    }

    [TestMethod]
    public void EvaluatesAPoolAndAModel()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteClip(folder, 2);
        var random = new Random(7);
        Directory.CreateDirectory(Path.Combine(pool, "heads"));
        Directory.CreateDirectory(Path.Combine(pool, "data"));
        foreach (string task in new[] { "a", "b" })
        {
            HostTensor images = TestPool.Gaussian(random, 1, 20, 3, 8, 8);
            HostTensor classes = TestPool.Gaussian(random, 1, 4, 12);
            TensorFile.Write(Path.Combine(pool, "heads", $"{task}.safetensors"), new Dictionary<string, HostTensor>
            {
                ["class_embeds"] = classes,
                ["logit_scale"] = HostTensor.FromFloats([1], [20]),
            });

            // The labels are what the task's own expert says, so that it scores 100 on its own task.
            using Smile.ML.Fusion.SmileModel expert = Smile.ML.Fusion.SmileModel.Load(Path.Combine(pool, task));
            float[] embeds = expert.Run(new Dictionary<string, HostTensor> { ["pixel_values"] = images })["image_embeds"].Floats!;
            TaskHead head = TaskHead.Load(Path.Combine(pool, "heads", $"{task}.safetensors"));
            var labels = new long[20];
            for (int i = 0; i < labels.Length; i++)
            {
                var logits = new float[4];
                head.Score(embeds.AsSpan(i * 12, 12), logits);
                labels[i] = Array.IndexOf(logits, logits.Max());
            }

            TensorFile.Write(Path.Combine(pool, "data", $"{task}_test.safetensors"), new Dictionary<string, HostTensor>
            {
                ["images"] = images,
                ["labels"] = HostTensor.FromIntegers([20], labels),
            });
        }

        (int code, string output, string error) = Run("eval", "--pool", pool, "--json", folder["figures.json"], "--expert-rank", "dense", "--router-rank", "4");
        Assert.AreEqual(0, code, error);
        using JsonDocument figures = JsonDocument.Parse(File.ReadAllText(folder["figures.json"]));
        JsonElement methods = figures.RootElement.GetProperty("methods");
        Assert.AreEqual(100, methods.GetProperty("finetuned (each on its own task)").GetProperty("avg").GetDouble());
        Assert.IsTrue(methods.GetProperty("pretrained").GetProperty("avg").GetDouble() < 100, "a pretrained model that knows everything tests nothing");
        Assert.AreEqual(5, methods.EnumerateObject().Count());
        StringAssert.Contains(error, "5 of 5 methods");
        StringAssert.Contains(output, "smile gate_k=4 k=-1 (dense) top_k=1");

        (code, output, _) = Run("eval", "--model", Path.Combine(pool, "b"), "--heads", Path.Combine(pool, "heads"), "--data", Path.Combine(pool, "data"));
        Assert.AreEqual(0, code);
        StringAssert.Contains(output, "100.0");
    }

    [TestMethod]
    public void BadArgumentsEndWithTwoAndFailedRunsWithOne()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 8]);
        (int Code, string Says, string[] Arguments)[] cases =
        [
            (2, "--output", ["fuse", "--pool", pool]),
            (2, "--expert-rank is many", ["fuse", "--pool", pool, "--output", folder["x"], "--expert-rank", "many"]),
            (2, "--router-rank is 0", ["fuse", "--pool", pool, "--output", folder["x"], "--router-rank", "0"]),
            (2, "--max-memory is lots", ["fuse", "--pool", pool, "--output", folder["x"], "--max-memory", "lots"]),
            (2, "NAME=DIR", ["fuse", "--pretrained", pool, "--expert", "a", "--output", folder["x"]]),
            (2, "--pool", ["fuse", "--output", folder["x"]]),
            (2, "unknown", ["unknown"]),
            (2, "fuse", []),
            (2, "There is no command fuze. Did you mean fuse?", ["fuze", "--pool", pool]),
            (2, "There is no option --outptu. Did you mean --output?", ["fuse", "--pool", pool, "--outptu", folder["x"]]),
            (2, "Did you mean ties?", ["merge", "--method", "tis", "--pool", pool, "--output", folder["x"]]),
            (1, "_pretrained_, a, b; name one of them", ["inspect", pool]),
            (2, "--method NAME", ["merge", "--pool", pool, "--output", folder["x"]]),
            (2, "there are simple-average, ", ["merge", "--method", "mean", "--pool", pool, "--output", folder["x"]]),
            (2, "ties: keep is 2", ["merge", "--method", "ties", "--set", "keep=2", "--pool", pool, "--output", folder["x"]]),
            (2, "--output", ["merge", "--method", "ties", "--pool", pool]),
            (2, "--merge needs --pool", ["eval", "--model", pool, "--merge", "ties"]),
            (1, "--experts-per-token is 3; expected 1 to 2", ["fuse", "--pool", pool, "--output", folder["x"], "--experts-per-token", "3"]),
            (1, "3 experts or more", ["merge", "--method", "consensus", "--set", "agreement=3", "--pool", pool, "--output", folder["x"]]),
            (1, "no such folder", ["fuse", "--pool", folder["nowhere"], "--output", folder["x"]]),
            (1, "no such file", ["run", "--model", folder["pool"], "--inputs", folder["i"], "--outputs", folder["o"]]),
            (2, "--router-rank is dense; expected a whole number, 1 or more.", ["fuse", "--pool", pool, "--output", folder["x"], "--router-rank", "dense"]),
            (2, "--threads is x; expected a whole number, 1 to 1024.", ["fuse", "--pool", pool, "--output", folder["x"], "--threads", "x"]),
            (2, "--threads is 1025", ["merge", "--method", "ties", "--pool", pool, "--output", folder["x"], "--threads", "1025"]),
            (2, "--tokens is 1.5", ["bench", "forward", "--tokens", "1.5"]),
            (2, "--experts is 3000000000; expected a whole number, 1 to 2147483647.", ["bench", "fuse", "--experts", "3000000000"]),
            (2, "--generate is x", ["run", "--model", pool, "--inputs", "i", "--outputs", "o", "--generate", "x"]),
            (2, "--shared is none; expected pretrained, average or average-leaves.", ["fuse", "--pool", pool, "--output", folder["x"], "--shared", "none"]),
            (2, "--dtype is f64; expected keep, f32, bf16 or f16.", ["merge", "--method", "ties", "--pool", pool, "--output", folder["x"], "--dtype", "f64"]),
            (2, "--pool is empty; expected a folder.", ["fuse", "--pool", "", "--output", folder["x"]]),
            (2, "PATH is empty", ["inspect", ""]),
            (2, "--output is --json, which is an option", ["fuse", "--pool", pool, "--output", "--json"]),
            (2, "--keep is --json, which is an option", ["fuse", "--pool", pool, "--output", folder["x"], "--keep", "--json"]),
            (2, "Run smile bench fuse --help", ["bench", "fuse", "--nothing"]),
            (1, "@x: there is no such folder", ["inspect", "@x"]),
            (2, "make 10000000000 values", ["bench", "fuse", "--in-features", "100000", "--out-features", "100000"]),
            (2, "--expert-rank says how to fuse a pool", ["eval", "--model", pool, "--expert-rank", "4"]),
            (1, "weights is 1E+308,1E+308", ["merge", "--method", "weighted-average", "--set", "weights=1e308,1e308", "--pool", pool, "--output", folder["x"]]),
            (1, "is a whole model", ["run", "--model", Path.Combine(pool, "a"), "--base", Path.Combine(pool, "_pretrained_"), "--inputs", Path.Combine(pool, "a", "model.safetensors"), "--outputs", folder["o"]]),
            (2, "a file that is read", ["run", "--model", Path.Combine(pool, "a"), "--inputs", "i", "--outputs", Path.Combine(pool, "a", "model.safetensors")]),
            (2, "a file that is read", ["analyze", "--pool", pool, "--report", Path.Combine(pool, "b", "config.json")]),
            (2, "--outputs and --routing are both", ["run", "--model", pool, "--inputs", "i", "--outputs", folder["o"], "--routing", Path.Combine(folder.Path, ".", "o")]),
            (1, "--experts-per-token is 3; expected 1 to 2", ["analyze", "--pool", pool, "--report", folder["r.html"], "--experts-per-token", "3"]),
            (1, "missing: expected a folder", ["analyze", "--pool", pool, "--report", folder["r.html"], "--heads", folder["missing"], "--data", folder["missing"]]),
            (2, "--device is tpu; expected cpu, cuda or cuda:N.", ["run", "--model", Path.Combine(pool, "a"), "--inputs", Path.Combine(pool, "a", "model.safetensors"), "--outputs", folder["o"], "--device", "tpu"]),
            (1, "input x is missing; found layers.0.bias, layers.0.weight", ["run", "--model", Path.Combine(pool, "a"), "--inputs", Path.Combine(pool, "a", "model.safetensors"), "--outputs", folder["o"]]),
        ];
        foreach ((int expected, string says, string[] arguments) in cases)
        {
            (int code, _, string error) = Run(arguments);
            Assert.AreEqual(expected, code, $"{string.Join(' ', arguments)}: {error}");
            StringAssert.Contains(error, says);
            Assert.IsFalse(error.Contains("   at ", StringComparison.Ordinal), error);
            Assert.IsFalse(error.Contains("Weights", StringComparison.Ordinal), $"Told after the analysis: {error}");
            CollectionAssert.AreEqual(new[] { "pool" }, folder.Names(), error);
        }
    }

    [TestMethod]
    [DataRow("fuse", "--expert-rank", "1000")]
    [DataRow("merge", "--method", "iso-c")]
    public void CtrlCInALongStepLeavesNothingBehind(params string[] arguments)
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("Sends a signal.");
        }

        using var folder = new TemporaryFolder();

        // One layer that takes every method much longer than the library's two seconds between Ctrl-C and the end.
        string pool = TestPool.WriteMlp(folder, 2, [2000, 2000]);
        using Process process = Start([.. arguments, "--pool", pool, "--output", folder["out"]]);
        while (!folder.Names().Any(name => name.EndsWith(".lock", StringComparison.Ordinal)))
        {
            Assert.IsFalse(process.WaitForExit(50), "It ended before it began to write.");
        }

        Assert.IsFalse(process.WaitForExit(1000), "It was done too soon to be interrupted.");
        using (Process kill = Process.Start("kill", ["-INT", $"{process.Id}"]))
        {
            kill.WaitForExit();
        }

        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.AreEqual(1, process.ExitCode, error);
        Assert.AreEqual("Cancelled; nothing was written.", error.Trim());
        CollectionAssert.AreEqual(new[] { "pool" }, folder.Names());
    }

    [TestMethod]
    public void DevicesAndPipesAreNeitherReadNorReplaced()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Inconclusive("There are no such files.");
        }

        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 1, [6, 5]), model = Path.Combine(pool, "a"), pipe = folder["pipe"];
        using (Process make = Process.Start("mkfifo", [pipe]))
        {
            make.WaitForExit();
        }

        foreach (string[] arguments in new string[][]
        {
            ["run", "--model", model, "--inputs", Path.Combine(model, "model.safetensors"), "--outputs", pipe],
            ["run", "--model", model, "--inputs", pipe, "--outputs", folder["o"]],
            ["run", "--model", model, "--inputs", "/dev/zero", "--outputs", folder["o"]],
            ["fuse", "--pool", pool, "--output", pipe, "--force"],
            ["analyze", "--pool", pool, "--report", pipe],
        })
        {
            (int code, _, string error) = Run(arguments);
            Assert.AreEqual(1, code, error);
            StringAssert.Contains(error, "is a device or pipe");
            CollectionAssert.AreEqual(new[] { "pipe", "pool" }, folder.Names(), error);
        }
    }

    [TestMethod]
    public void AFullStderrFailsNothing()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("Needs /dev/full.");
        }

        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteMlp(folder, 2, [6, 8, 5]);
        string command = $"dotnet '{Path.Combine(AppContext.BaseDirectory, "smile.dll")}'";
        foreach ((int expected, string arguments) in new[] { (0, $"fuse --pool '{pool}' --output '{folder["out"]}'"), (1, "inspect nowhere"), (2, "fuse --threads x") })
        {
            using Process shell = Process.Start("sh", ["-c", $"{command} {arguments} >/dev/null 2>/dev/full"]);
            shell.WaitForExit();
            Assert.AreEqual(expected, shell.ExitCode, arguments);
        }
    }

    [TestMethod]
    public void KeptLayersAreInspectedToo()
    {
        using var folder = new TemporaryFolder();
        string pool = TestPool.WriteClip(folder, 2);
        Assert.AreEqual(0, Run("fuse", "--pool", pool, "--output", folder["some"], "--keep", "*fc1").Code);
        Assert.AreEqual(0, Run("fuse", "--pool", pool, "--output", folder["none"], "--keep", "*").Code);
        StringAssert.Contains(Run("inspect", folder["some"]).Output, "linear layers 13, routed 11");
        StringAssert.Contains(Run("inspect", folder["none"]).Output, "linear layers 13, routed 0");
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private static Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "smile.dll"));
        Array.ForEach(arguments, start.ArgumentList.Add);
        return Process.Start(start)!;
    }
}

using System.Diagnostics;
using Smile.ML.Checkpoints;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>The command with --device cuda, in a process of its own, over the emulated driver or without one.</summary>
[TestClass]
public sealed class CommandTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("smile-cuda-").FullName;

    [TestCleanup]
    public void Clean() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public void RunComputesTheSame()
    {
        string golden = GoldenFolders.Find("mlp");
        string model = Path.Combine(golden, "expert_a"), inputs = Path.Combine(golden, "expected", "inputs.safetensors");
        Dictionary<string, HostTensor>[] outputs = [.. ((string[])["cpu", "cuda", "cuda:0"]).Select(device =>
        {
            string file = Path.Combine(_folder, "out.safetensors");
            Succeed("run", "--model", model, "--inputs", inputs, "--outputs", file, "--device", device);
            return TensorFile.Read(file);
        })];
        Values.AssertClose("output", [.. outputs[0]["output"].Floats!.Select(x => (double)x)], outputs[1]["output"].Floats!, 1e-5);
        CollectionAssert.AreEqual(outputs[1]["output"].Floats, outputs[2]["output"].Floats);
    }

    [TestMethod]
    public void EvalFindsTheSameAccuracy()
    {
        string golden = GoldenFolders.Find("clip");
        HostTensor images = TensorFile.Read(Path.Combine(golden, "expected", "inputs.safetensors"))["pixel_values"];
        (string heads, string data) = (Path.Combine(_folder, "heads"), Path.Combine(_folder, "data"));
        Directory.CreateDirectory(heads);
        Directory.CreateDirectory(data);
        TensorFile.Write(Path.Combine(heads, "task.safetensors"), new Dictionary<string, HostTensor>
        {
            ["class_embeds"] = HostTensor.FromFloats([3, 16], Values.Random(1, 48)),
            ["logit_scale"] = HostTensor.FromFloats([1], [4f]),
        });
        TensorFile.Write(Path.Combine(data, "task_test.safetensors"), new Dictionary<string, HostTensor>
        {
            ["images"] = images,
            ["labels"] = HostTensor.FromIntegers([images.Shape[0]], new long[images.Shape[0]]),
        });
        string[] arguments = ["eval", "--model", Path.Combine(golden, "expert_a"), "--heads", heads, "--data", data, "--device"];
        Assert.AreEqual(Succeed([.. arguments, "cpu"]), Succeed([.. arguments, "cuda"]));
    }

    [TestMethod]
    public void BenchMeasures()
    {
        string output = Succeed(
            "bench", "forward", "--out-features", "24", "--in-features", "16", "--experts", "2", "--expert-rank", "4", "--router-rank", "2", "--tokens", "3", "--device", "cuda");
        StringAssert.Contains(output, "routed");
        StringAssert.Contains(output, "ratio");
    }

    [TestMethod]
    public void ThereIsNoDevice()
    {
        string golden = GoldenFolders.Find("mlp");
        string outputs = Path.Combine(_folder, "out.safetensors");
        (int code, string output, string error) = Smile(
            null, "run", "--model", Path.Combine(golden, "expert_a"), "--inputs", Path.Combine(golden, "expected", "inputs.safetensors"), "--outputs", outputs, "--device", "cuda");
        if (code == 0)
        {
            Assert.IsTrue(File.Exists(outputs), output);
            return;
        }

        Assert.AreEqual(1, code, error);
        Assert.HasCount(1, error.Trim().Split('\n'), error);
        StringAssert.Contains(error, CudaDriver.Needed);
        Assert.IsFalse(File.Exists(outputs));
    }

    private string Succeed(params string[] arguments)
    {
        if (!File.Exists(EmulatedDriver.LibraryPath))
        {
            Assert.Inconclusive("The emulated driver was not built: it needs g++ on Linux.");
        }

        File.Delete(Path.Combine(_folder, "libcuda.so.1"));
        File.CreateSymbolicLink(Path.Combine(_folder, "libcuda.so.1"), EmulatedDriver.LibraryPath);
        (int code, string output, string error) = Smile(_folder, arguments);
        Assert.AreEqual(0, code, error);
        return output;
    }

    private static (int Code, string Output, string Error) Smile(string? libraries, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "smile.dll"), .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        if (libraries is not null)
        {
            start.Environment["LD_LIBRARY_PATH"] = libraries;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output.Result, error);
    }
}

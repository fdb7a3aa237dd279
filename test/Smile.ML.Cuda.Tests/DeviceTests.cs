using System.Diagnostics;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Interop;
using Smile.ML.Cuda.Tests.Operations;

namespace Smile.ML.Cuda.Tests;

/// <summary>On the machine's own GPU, or, where there is none, that this is said.</summary>
[TestClass]
public sealed class DeviceTests
{
    [TestMethod]
    public void OperationsFollowTheirFormulas()
    {
        CudaDevice device;
        try
        {
            device = CudaDevice.Open("cuda");
        }
        catch (SmileException exception)
        {
            Assert.Inconclusive(exception.Message);
            return;
        }

        foreach (MatrixPrecision precision in Enum.GetValues<MatrixPrecision>())
        {
            using var backend = new CudaBackend(device, new CudaOptions { Precision = precision, CheckMemory = true });
            foreach (OperationCase operation in OperationCase.All)
            {
                operation.Run(backend, precision);
            }
        }
    }

    [TestMethod]
    public void TheCommandSaysWhyThereIsNoDevice()
    {
        string folder = Directory.CreateTempSubdirectory("smile-cuda-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "config.json"), """{"model_type":"mlp","hidden_act":"relu"}""");
            TensorFile.Write(
                Path.Combine(folder, "model.safetensors"),
                new Dictionary<string, HostTensor>
                {
                    ["layers.0.weight"] = HostTensor.FromFloats([2, 3], new float[6]),
                    ["layers.0.bias"] = HostTensor.FromFloats([2], [0.5f, -1]),
                });
            string inputs = Path.Combine(folder, "in.safetensors"), outputs = Path.Combine(folder, "out.safetensors");
            TensorFile.Write(inputs, new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1, 3], [1, 2, 3]) });
            (int code, string error) = Smile("run", "--model", folder, "--inputs", inputs, "--outputs", outputs, "--device", "cuda");
            if (code == 0)
            {
                CollectionAssert.AreEqual(new float[] { 0.5f, -1 }, TensorFile.Read(outputs)["output"].Floats);
                return;
            }

            Assert.AreEqual(1, code, error);
            Assert.HasCount(1, error.Trim().Split('\n'), error);
            StringAssert.Contains(error, CudaDriver.Needed);
            Assert.IsFalse(File.Exists(outputs));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static (int Code, string Error) Smile(params string[] arguments)
    {
        string tool = Path.Combine(AppContext.BaseDirectory, "smile.dll");
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [tool, .. arguments])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        output.Wait();
        process.WaitForExit();
        return (process.ExitCode, error);
    }
}

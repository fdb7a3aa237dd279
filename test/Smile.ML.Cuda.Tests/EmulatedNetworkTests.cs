using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Cuda.Tests.Emulator;
using Smile.ML.Cuda.Tests.Goldens;
using Smile.ML.Fusion;

namespace Smile.ML.Cuda.Tests;

/// <summary>Whole networks through the backend on the emulated device.</summary>
[TestClass]
public sealed class EmulatedNetworkTests
{
    private const string Device = "emulated-cuda";

    [TestMethod]
    [DataRow("mlp")]
    [DataRow("clip")]
    [DataRow("vit_f16")]
    [DataRow("bert")]
    [DataRow("t5")]
    [DataRow("mistral_sw4")]
    [DataRow("llama_bf16")]
    [DataRow("qwen2")]
    public void GoldensAgree(string network)
    {
        string folder = GoldenFolders.Find(network);
        Register();
        Assert.AreNotEqual(0, new GoldenChecks(folder, Device, 2e-5).Run());
        Assert.AreEqual(0, EmulatedDriver.BrokenGuards(), "allocations written beyond their ends");
    }

    [TestMethod]
    public void ThreadsAndModelsShareADevice()
    {
        string folder = GoldenFolders.Find("mlp");
        Register();
        Dictionary<string, HostTensor> inputs = TensorFile.Read(Path.Combine(folder, "expected", "inputs.safetensors"));
        var compute = new ComputeOptions { Device = Device };
        using SmileModel first = SmileModel.Load(Path.Combine(folder, "expert_a"), compute);
        using SmileModel second = SmileModel.Load(Path.Combine(folder, "expert_b"), compute);
        SmileModel[] models = [first, second];
        float[][] expected = [.. models.Select(model => model.Run(inputs)["output"].Floats!)];
        Parallel.For(0, 40, i => CollectionAssert.AreEqual(expected[i % 2], models[i % 2].Run(inputs)["output"].Floats!));
    }

    private static void Register()
    {
        CudaDevice device = EmulatedDriver.OpenDevice();
        EmulatedDriver.Seed(1);
        Backends.Register(Device, _ => new CudaBackend(device, new CudaOptions { CheckMemory = true }));
    }
}

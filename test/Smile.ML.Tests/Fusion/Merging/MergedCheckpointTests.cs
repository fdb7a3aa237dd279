using Smile.ML.Checkpoints;
using Smile.ML.Compute.Cpu;
using Smile.ML.Fusion;
using Smile.ML.Fusion.Merging;
using Smile.ML.Networks;

namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>Merges as models to run and to write, and what must stop them.</summary>
[TestClass]
public class MergedCheckpointTests
{
    [TestMethod]
    public void TheWrittenModelIsTheOneThatWouldRun()
    {
        using SmallPool pool = SmallPool.Random(50, experts: 3);
        string output = Path.Combine(pool.Folder, "_merged");
        MergeReport report = new Wudi().Merge(pool.Pool, output);
        Assert.AreEqual("wudi damping=0.001 scale=1", report.Method);
        Assert.AreEqual(pool.Models[0].Values.Sum(tensor => tensor.Floats!.Length), report.Parameters);

        var input = new Dictionary<string, HostTensor> { ["x"] = HostTensor.FromFloats([1, 8], [1, -2, 3, -4, 5, -6, 7, -8]) };
        using ITensorSource merged = new Wudi().Merge(pool.Pool);
        using SmileModel direct = SmileModel.Load(pool.Pool.Pretrained.Config, merged);
        using SmileModel written = SmileModel.Load(output);
        CollectionAssert.AreEqual(direct.Run(input)["output"].Floats, written.Run(input)["output"].Floats);
    }

    [TestMethod]
    [DataRow(StoredPrecision.Keep, TensorType.F32, null)]
    [DataRow(StoredPrecision.BF16, TensorType.BF16, "bfloat16")]
    [DataRow(StoredPrecision.F16, TensorType.F16, "float16")]
    public void PrecisionAppliesToTensorsAndConfig(StoredPrecision precision, TensorType type, string? name)
    {
        using SmallPool pool = SmallPool.Random(51, experts: 2);
        string output = Path.Combine(pool.Folder, "_merged");
        new TaskArithmetic().Merge(pool.Pool, output, new MergeOptions { Precision = precision });
        using HuggingFaceFolder folder = HuggingFaceFolder.Open(output);
        Assert.IsTrue(folder.Tensors.Values.All(tensor => tensor.Type == type));
        Assert.AreEqual("mlp", folder.Config.ModelType);
        Assert.AreEqual(name is not null, folder.Config.Has("torch_dtype"));
        Assert.AreEqual(name ?? "", folder.Config.GetString("torch_dtype", ""));
    }

    [TestMethod]
    public void KeepTakesThePretrainedTypes()
    {
        using SmallPool pool = SmallPool.Random(52, experts: 2);
        string half = Path.Combine(pool.Folder, "_half");
        foreach (string model in new[] { ModelPool.PretrainedFolder, "expert0", "expert1" })
        {
            using ModelPool one = ModelPool.Open(Path.Combine(pool.Folder, model), [KeyValuePair.Create("same", Path.Combine(pool.Folder, model))]);
            new SimpleAverage().Merge(one, Path.Combine(half, model), new MergeOptions { Precision = StoredPrecision.F16 });
        }

        using ModelPool halves = ModelPool.Open(half);
        string output = Path.Combine(pool.Folder, "_merged");
        new SimpleAverage().Merge(halves, output);
        using HuggingFaceFolder folder = HuggingFaceFolder.Open(output);
        Assert.IsTrue(folder.Tensors.Values.All(tensor => tensor.Type == TensorType.F16));
    }

    [TestMethod]
    public void TheOutputIsNotReplacedUnasked()
    {
        using SmallPool pool = SmallPool.Random(53, experts: 2);
        string output = Path.Combine(pool.Folder, "_merged");
        new SimpleAverage().Merge(pool.Pool, output);
        Assert.ThrowsExactly<SmileException>(() => new MagMax().Merge(pool.Pool, output));
        new MagMax().Merge(pool.Pool, output, overwrite: true);
    }

    [TestMethod]
    public void CancellingLeavesNothing()
    {
        using SmallPool pool = SmallPool.Random(54, experts: 2);
        string[] before = Directory.GetFileSystemEntries(pool.Folder);
        using var cancellation = new CancellationTokenSource();
        Assert.ThrowsExactly<OperationCanceledException>(() => new TaskSingularVectors().Merge(
            pool.Pool, Path.Combine(pool.Folder, "_merged"), progress: new Cancel(cancellation), cancellationToken: cancellation.Token));
        CollectionAssert.AreEquivalent(before, Directory.GetFileSystemEntries(pool.Folder));
    }

    [TestMethod]
    [DataRow("slerp", 3, "slerp merges exactly 2 experts;")]
    [DataRow("model-stock", 1, "model-stock merges 2 experts or more;")]
    [DataRow("consensus agreement=4", 3, "consensus merges 4 experts or more, its agreement;")]
    [DataRow("weighted-average weights=1,2", 3, "weighted-average: weights has 2 values; expected 3, one per expert of")]
    [DataRow("svc over=slerp", 3, "slerp merges exactly 2 experts;")]
    [DataRow("lora-cat", 2, "lora-cat merges LoRA adapters; expert expert0 (")]
    public void MethodsRefuseTheWrongExperts(string method, int experts, string message)
    {
        using SmallPool pool = SmallPool.Random(55, experts);
        StringAssert.StartsWith(Assert.ThrowsExactly<SmileException>(() => MergeMethods.Parse(method).Merge(pool.Pool)).Message, message);
    }

    [TestMethod]
    public void ParametersSetInCodeAreChecked()
    {
        using SmallPool pool = SmallPool.Random(56, experts: 2);
        SmileException exception = Assert.ThrowsExactly<SmileException>(
            () => new SubspaceBoosting { Over = new Ties { Keep = 7 } }.Merge(pool.Pool));
        StringAssert.Contains(exception.Message, "over.keep is 7; expected a number in (0, 1].");
        Assert.ThrowsExactly<SmileException>(() => new Ties().Merge(pool.Pool, threads: 0));
    }

    [TestMethod]
    [DataRow("simple-average")]
    [DataRow("ties")]
    [DataRow("iso-c")]
    public void ValuesThatAreNotFiniteAreNamed(string method)
    {
        using SmallPool good = SmallPool.Random(57, experts: 2);
        good.Models[2][SmallPool.Weight].Floats![9] = float.NaN;
        using SmallPool pool = SmallPool.Around(good.Models[0], good.Models[1..]);
        SmileException exception = Assert.ThrowsExactly<SmileException>(() => pool.Merge(MergeMethods.Parse(method)));
        StringAssert.Contains(exception.Message, $"expert1: tensor {SmallPool.Weight} holds NaN at element 9");
    }

    [TestMethod]
    public void ABiasThatOnlyAnExpertHasIsAnError()
    {
        using SmallPool with = SmallPool.Random(58, experts: 2);
        with.Models[0].Remove(SmallPool.Bias);
        with.Models[1].Remove(SmallPool.Bias);
        using SmallPool pool = SmallPool.Around(with.Models[0], with.Models[1..]);
        SmileException exception = Assert.ThrowsExactly<SmileException>(() => new SimpleAverage().Merge(pool.Pool));
        StringAssert.StartsWith(exception.Message, "Expert expert1");
        StringAssert.Contains(exception.Message, SmallPool.Bias);
    }

    [TestMethod]
    public void ABiasThatAnExpertLacksCountsAsZero()
    {
        using SmallPool with = SmallPool.Random(59, experts: 2);
        with.Models[2].Remove(SmallPool.Bias);
        using SmallPool pool = SmallPool.Around(with.Models[0], with.Models[1..]);
        MergeAssert.AreClose(pool.Theta(0, SmallPool.Bias).Select(value => value / 2), pool.Merge(new SimpleAverage())[SmallPool.Bias], 1e-6, "bias");
    }

    [TestMethod]
    public void OraclesTakeTheExpertsLayersWholeOrTruncated()
    {
        using SmallPool pool = SmallPool.Random(60, experts: 2, outputs: 7, inputs: 9);
        NetworkManifest manifest = pool.Pool.Check();
        var taskVectors = new TaskVectors(pool.Pool, manifest, WorkerPool.Shared, CancellationToken.None);
        using var whole = new MergedTensors(pool.Pool, "oracle", new OracleMerger(taskVectors, 1, rank: null));
        using var truncated = new MergedTensors(pool.Pool, "oracle", new OracleMerger(taskVectors, 1, rank: 3));

        CollectionAssert.AreEqual(pool.Models[2][SmallPool.Weight].Floats, whole.ReadFloats(SmallPool.Weight));
        CollectionAssert.AreEqual(pool.Models[2][SmallPool.Bias].Floats, whole.ReadFloats(SmallPool.Bias));
        (double[,] u, double[] s, double[,] v) = Dense.Svd(pool.Delta(1));
        double[,] low = Dense.MultiplyOut(Dense.Columns(u, 0, 3), [.. s.Take(3)], Dense.Columns(v, 0, 3));
        MergeAssert.AreClose(
            pool.Theta(-1, SmallPool.Weight).Zip(low.Cast<double>(), (value, step) => value + step), truncated.ReadFloats(SmallPool.Weight), 1e-5, "weight");
    }

    private sealed class Cancel(CancellationTokenSource source) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value) => source.Cancel();
    }
}

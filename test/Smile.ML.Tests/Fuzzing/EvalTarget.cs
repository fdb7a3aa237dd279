using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Tests.Testing;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Task heads and labelled images, one of them hostile, for a model that is intact: an accuracy is a percentage, or there is none.</summary>
internal sealed class EvalTarget : FuzzTarget
{
    private const int Images = 6, Classes = 3;
    private readonly SmileModel _model;
    private readonly TensorFileMutator _head;
    private readonly TensorFileMutator _data;

    public EvalTarget()
    {
        string folder = Path.Combine(TinyModels.WriteClipPool(Files["pool"], experts: 1), "_pretrained_");
        _model = SmileModel.Load(folder, new ComputeOptions { Threads = 1 });
        var random = new Random(3);
        TensorFile.Write(Files["t.safetensors"], new Dictionary<string, HostTensor>
        {
            ["class_embeds"] = TestPool.Gaussian(random, 1, Classes, TinyModels.ClipEmbedding),
            ["logit_scale"] = HostTensor.FromFloats([1], [100]),
        });
        TensorFile.Write(Files["t_test.safetensors"], new Dictionary<string, HostTensor>
        {
            ["images"] = TestPool.Gaussian(random, 1, Images, 3, 8, 8),
            ["labels"] = HostTensor.FromIntegers([Images], [0, 1, 2, 0, 1, 2]),
        });
        _head = new TensorFileMutator(Files["t.safetensors"]);
        _data = new TensorFileMutator(Files["t_test.safetensors"]);
    }

    // A head that doesn't fit the model or the labels is named by its task.
    public override bool ErrorsNameTheFile => false;

    public override void Execute(Random random)
    {
        bool changesHead = random.Next(2) == 0;
        string head = Files.Write("t.safetensors", changesHead ? _head.Create(random) : _head.Intact());
        string data = Files.Write("t_test.safetensors", changesHead ? _data.Intact() : _data.Create(random));
        using TaskData task = TaskData.Open(data, maxCount: random.Next(3) == 0 ? 4 : null);
        double accuracy = Evaluation.Accuracy(_model, TaskHead.Load(head), task);
        Assert.IsTrue(accuracy is >= 0 and <= 100, $"{accuracy} percent");
    }

    public override void Dispose()
    {
        _model.Dispose();
        base.Dispose();
    }
}

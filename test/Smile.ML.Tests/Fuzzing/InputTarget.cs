using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Inputs as <c>smile run</c> reads them, hostile, for models of every architecture that are intact.</summary>
internal sealed class InputTarget : FuzzTarget
{
    private readonly List<(SmileModel Model, TensorFileMutator Inputs)> _models = [];

    public InputTarget()
    {
        foreach ((string folder, JsonObject _) in TinyNetworks.WriteAll(Files.Path))
        {
            SmileModel model = SmileModel.Load(folder, new ComputeOptions { Threads = 1 });
            TensorFile.Write(Files["in.safetensors"], TinyNetworks.Inputs(model.Inputs));
            _models.Add((model, new TensorFileMutator(Files["in.safetensors"])));
        }
    }

    // An input that the network can't take is named as the input that it is.
    public override bool ErrorsNameTheFile => false;

    public override void Execute(Random random)
    {
        (SmileModel model, TensorFileMutator inputs) = _models[random.Next(_models.Count)];
        Dictionary<string, HostTensor> read = TensorFile.Read(Files.Write("in.safetensors", inputs.Create(random)));
        IReadOnlyDictionary<string, HostTensor> outputs = model.Run(read);
        foreach (HostTensor output in outputs.Values)
        {
            Assert.HasCount((int)output.Shape.Aggregate(1L, (product, dimension) => product * dimension), output.Floats ?? (IEnumerable<float>)[.. output.Integers!.Select(value => (float)value)]);
        }
    }

    public override void Dispose()
    {
        _models.ForEach(model => model.Model.Dispose());
        base.Dispose();
    }
}

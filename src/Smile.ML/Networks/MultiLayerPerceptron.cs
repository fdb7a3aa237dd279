using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Linear layers <c>layers.0</c>, <c>layers.1</c>, ... with a nonlinearity between them and none after the last.</summary>
internal sealed class MultiLayerPerceptron(IReadOnlyList<Linear> layers, int inputs, Activation activation) : Network
{
    public override IReadOnlyList<NetworkPort> Inputs { get; } = [new NetworkPort("x", TensorType.F32, [inputs])];

    public override IReadOnlyList<NetworkPort> Outputs { get; } = [new NetworkPort("output", TensorType.F32, [layers[^1].Outputs])];

    /// <summary>Gets the layers, first to last.</summary>
    public IReadOnlyList<Linear> Layers => layers;

    public override IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted)
    {
        Tensor hidden = pass.Upload(inputs["x"], Inputs[0].Shape[0]);
        for (int i = 0; i < layers.Count; i++)
        {
            using Tensor input = hidden;
            hidden = layers[i].Forward(pass, input);
            if (i < layers.Count - 1)
            {
                pass.Backend.Activate(hidden, activation);
            }

            pass.Activations?.OnBlockOutput(pass.Backend, hidden, hidden.Rows);
        }

        using (hidden)
        {
            return new Dictionary<string, HostTensor> { ["output"] = pass.Download(hidden, [hidden.Rows, hidden.Columns]) };
        }
    }
}

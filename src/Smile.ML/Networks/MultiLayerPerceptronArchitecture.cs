namespace Smile.ML.Networks;

/// <summary>Builds <see cref="MultiLayerPerceptron"/>: as many layers as the checkpoint holds, of its sizes.</summary>
internal sealed class MultiLayerPerceptronArchitecture : IArchitecture
{
    public IReadOnlyList<string> ModelTypes { get; } = ["mlp"];

    public Network Build(ModuleBuilder builder)
    {
        LinearLayerInfo first = builder.FindLinear("layers.0")
            ?? throw new SmileException($"{builder.Config.Location}: the checkpoint of this mlp holds no layers.0.weight.");
        var layers = new List<Linear>();
        int width = first.Inputs;
        for (LinearLayerInfo? layer = first; layer is not null; layer = builder.FindLinear($"layers.{layers.Count}"))
        {
            layers.Add(builder.Linear(layer.Name, layer.Outputs, width, layer.HasBias));
            width = layer.Outputs;
        }

        return new MultiLayerPerceptron(layers, first.Inputs, HiddenActivation.Read(builder.Config, "hidden_act", "relu"));
    }
}

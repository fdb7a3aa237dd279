using System.CommandLine;
using Smile.ML.Checkpoints;
using Smile.ML.Compute;
using Smile.ML.Fusion;
using Smile.ML.Networks;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Tool;

/// <summary><c>smile run</c>: a forward pass over tensors in a file.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "A Hugging Face folder, a fused folder, or with --base a PEFT LoRA adapter's folder.", HelpName = "DIR", Required = true };
        var baseModel = new Option<string?>("--base") { Description = "The model that the adapter was trained on.", HelpName = "DIR" };
        var inputs = new Option<string>("--inputs") { Description = "A safetensors file with the inputs by name.", HelpName = "FILE", Required = true };
        var outputs = new Option<string>("--outputs") { Description = "The safetensors file to write.", HelpName = "FILE", Required = true };
        var routing = new Option<string?>("--routing") { Description = "A safetensors file to write every layer's routing to.", HelpName = "FILE" };
        Option<int?> generate = Arguments.OptionalNumber(
            "--generate", "Also continue the inputs greedily by that many tokens (generated), past any end of text.");
        var compute = new ComputeArguments();
        var command = new Command("run", "Runs a model over tensors in a safetensors file.") { model, baseModel, inputs, outputs, routing, generate };
        compute.AddTo(command);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                string[] models = [.. new[] { parsed.GetValue(model), parsed.GetValue(baseModel) }.OfType<string>()];
                OutputFiles.Require(
                    [(outputs.Name, parsed.GetValue(outputs)), (routing.Name, parsed.GetValue(routing))],
                    [parsed.GetValue(inputs)!, .. models.SelectMany(OutputFiles.OfModel)]);
                return Run(
                    () => Load(parsed.GetValue(model)!, parsed.GetValue(baseModel), compute.Read(parsed)),
                    parsed.GetValue(inputs)!,
                    parsed.GetValue(outputs)!,
                    parsed.GetValue(routing),
                    parsed.GetValue(generate),
                    cancellationToken);
            },
            CancellationToken.None));
        return command;
    }

    private static SmileModel Load(string folder, string? baseFolder, ComputeOptions compute)
        => baseFolder is null ? SmileModel.Load(folder, compute) : SmileModel.LoadAdapter(folder, baseFolder, compute);

    private static int Run(
        Func<SmileModel> load, string inputs, string outputs, string? routing, int? generate, CancellationToken cancellationToken)
    {
        Dictionary<string, HostTensor> tensors = TensorFile.Read(inputs);
        using SmileModel model = load();
        RequireInputs(inputs, model);
        var recorder = new RoutingRecorder();

        // An encoder-decoder generates without the decoder's tokens, which its logits need.
        IEnumerable<string>? wanted = generate is null
            ? null
            : model.Outputs.Where(port => port.NeededInput is not { } needed || tensors.ContainsKey(needed)).Select(port => port.Name);
        var results = new Dictionary<string, HostTensor>(
            model.Run(tensors, wanted, routing is null ? null : recorder, cancellationToken));
        if (generate is { } count)
        {
            results["generated"] = model.Generate(tensors, new GenerationOptions { MaxNewTokens = count, StopTokens = [] }, cancellationToken);
        }

        TensorFile.Write(outputs, results);
        if (routing is not null)
        {
            TensorFile.Write(routing, recorder.Tensors);
            if (recorder.Tensors.Count == 0)
            {
                Console.Error.WriteLine($"The model has no routed layers, so {routing} holds no tensors.");
            }
        }

        foreach ((string name, HostTensor tensor) in results)
        {
            Console.WriteLine($"{name} {tensor.Type} [{string.Join(", ", tensor.Shape)}]");
        }

        return 0;
    }

    /// <summary>Refuses a file without the inputs that the model needs, or with one of another kind, as the file has them.</summary>
    private static void RequireInputs(string path, SmileModel model)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (NetworkPort port in model.Inputs)
        {
            if (!file.Tensors.TryGetValue(port.Name, out TensorInfo? tensor))
            {
                if (!port.IsOptional)
                {
                    string found = file.Tensors.Count > 0 ? ErrorText.Clip(string.Join(", ", file.Tensors.Keys)) : "none";
                    throw new SmileException($"{path}: input {port.Name} is missing; found {found}.");
                }
            }
            else if (tensor.Type.IsFloatingPoint() != port.Type.IsFloatingPoint())
            {
                throw new SmileException(
                    $"{path}: input {port.Name} is {tensor.Description}; expected {(port.Type.IsFloatingPoint() ? "a floating-point type, such as F32" : "an integer type, such as I64")}.");
            }
        }
    }
}

using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;

namespace Smile.ML.Examples.TinyPools;

/// <summary>A network family: what its folders hold.</summary>
/// <param name="Name">The pool's folder name.</param>
/// <param name="Config">The config.json.</param>
/// <param name="Tensors">The pretrained model's tensors.</param>
/// <param name="Experts">The fine-tuned models.</param>
/// <param name="Inputs">Inputs to try it with, by name.</param>
internal sealed record Family(
    string Name,
    JsonObject Config,
    TensorList Tensors,
    IReadOnlyList<ExpertModel> Experts,
    IReadOnlyDictionary<string, HostTensor> Inputs);

using Microsoft.ML.Runtime;
using Smile.ML.Fusion;

namespace Smile.ML;

/// <summary>Makes one model of a pool.</summary>
internal interface IModelMaker
{
    /// <summary>Writes the model.</summary>
    /// <param name="pool">The pretrained model and its experts.</param>
    /// <param name="folder">The folder to write; it must not exist or be empty.</param>
    /// <param name="channel">Told what was done.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <returns>What the fusion did; null where the model is not a fused one.</returns>
    /// <exception cref="SmileException">The models don't fit together, or the folder can't be written.</exception>
    FusionReport? Make(ModelPool pool, string folder, IChannel channel, IProgress<FusionProgress> progress);
}

using Smile.ML.Checkpoints;

namespace Smile.ML.Networks;

/// <summary>A network over loaded modules. Its modules' memory belongs to whoever loaded them.</summary>
internal abstract class Network
{
    /// <summary>Gets what the network takes.</summary>
    public abstract IReadOnlyList<NetworkPort> Inputs { get; }

    /// <summary>Gets what it gives, the output that serves as the sample's embedding first.</summary>
    public abstract IReadOnlyList<NetworkPort> Outputs { get; }

    /// <summary>Runs a batch.</summary>
    /// <param name="pass">Backend, observer, cancellation.</param>
    /// <param name="inputs">The inputs by name, batch first; checked against <see cref="Inputs"/>.</param>
    /// <param name="wanted">Names of the outputs to compute.</param>
    /// <returns>The wanted outputs by name.</returns>
    public abstract IReadOnlyDictionary<string, HostTensor> Forward(
        ForwardPass pass, IReadOnlyDictionary<string, HostTensor> inputs, IReadOnlySet<string> wanted);
}

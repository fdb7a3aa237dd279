using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>Keys and values of tokens, projected once and attended to many times.</summary>
/// <param name="Keys">[batch tokens, all heads' features].</param>
/// <param name="Values">As the keys.</param>
internal sealed record KeysAndValues(Tensor Keys, Tensor Values) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }
}

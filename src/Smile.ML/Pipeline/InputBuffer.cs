using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>What one input of the network gets from the rows that are scored together.</summary>
internal abstract class InputBuffer
{
    /// <summary>Forgets all rows.</summary>
    /// <param name="capacity">The most rows that will come.</param>
    public abstract void Clear(int capacity);

    /// <summary>Takes the source's current row in.</summary>
    /// <exception cref="SmileException">Its vector is not of a size that the network takes.</exception>
    public abstract void Fetch();

    /// <summary>Makes a batch of some rows.</summary>
    /// <param name="rows">The rows, ascending.</param>
    /// <param name="length">Tokens to fill each row up to; not looked at where rows don't hold tokens.</param>
    /// <param name="padding">What to fill up with.</param>
    public abstract HostTensor Gather(IReadOnlyList<int> rows, int length, int padding);
}

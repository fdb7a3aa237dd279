using Smile.ML.Compute;
using Smile.ML.Networks.Generation;

namespace Smile.ML.Networks.EncoderDecoders;

/// <summary>
/// What T5's decoder keeps while its sequences grow: per layer the keys and values of the encoder's output, computed once, and those of
/// its own tokens so far. All sequences have the same length.
/// </summary>
internal sealed class T5DecoderState : IDisposable
{
    private readonly List<KeysAndValues> _memory = [];
    private readonly List<KeyValueCache> _caches = [];

    /// <summary>Starts with no token decoded.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="layers">The decoder's layers.</param>
    /// <param name="encoded">The encoder's output.</param>
    /// <param name="memoryBatch">Its sequences.</param>
    public T5DecoderState(ForwardPass pass, IEnumerable<T5DecoderLayer> layers, Tensor encoded, TokenBatch memoryBatch)
    {
        MemoryBatch = memoryBatch;
        try
        {
            foreach (T5DecoderLayer layer in layers)
            {
                _memory.Add(layer.Project(pass, encoded));
                _caches.Add(layer.CreateCache(memoryBatch.Count));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Gets the encoder's sequences.</summary>
    public TokenBatch MemoryBatch { get; }

    /// <summary>Gets each layer's keys and values of the encoder's output.</summary>
    public IReadOnlyList<KeysAndValues> Memory => _memory;

    /// <summary>Gets each layer's keys and values of the tokens so far.</summary>
    public IReadOnlyList<KeyValueCache> Caches => _caches;

    /// <summary>Gets or sets the number of tokens so far of each sequence.</summary>
    public int Length { get; set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory.ForEach(layer => layer.Dispose());
        _caches.ForEach(layer => layer.Dispose());
    }
}

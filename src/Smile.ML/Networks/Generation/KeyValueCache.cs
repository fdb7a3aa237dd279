using Smile.ML.Compute;

namespace Smile.ML.Networks.Generation;

/// <summary>
/// One attention layer's keys and values of the tokens so far. Sequence s has the rows from s * <see cref="Capacity"/> on, token by
/// token; rows behind its last token are undefined. Grows as needed.
/// </summary>
/// <param name="batch">Number of sequences.</param>
/// <param name="columns">Features of a key, all heads together.</param>
internal sealed class KeyValueCache(int batch, int columns) : IDisposable
{
    private const int SmallestCapacity = 32;
    private Tensor? _keys;
    private Tensor? _values;

    /// <summary>Gets the tokens per sequence for which there is room: the stride between two sequences' rows.</summary>
    public int Capacity { get; private set; }

    /// <summary>Gets the keys [batch * Capacity, columns].</summary>
    /// <exception cref="InvalidOperationException">Nothing was appended yet.</exception>
    public Tensor Keys => _keys ?? throw new InvalidOperationException("The cache is empty.");

    /// <summary>Gets the values, as the keys.</summary>
    /// <exception cref="InvalidOperationException">Nothing was appended yet.</exception>
    public Tensor Values => _values ?? throw new InvalidOperationException("The cache is empty.");

    /// <summary>Puts the same number of new tokens behind each sequence's present ones.</summary>
    /// <param name="backend">Where the tensors are.</param>
    /// <param name="keys">[batch * new tokens, columns].</param>
    /// <param name="values">As the keys.</param>
    /// <param name="lengths">Each sequence's number of present tokens; what the cache holds behind them is overwritten.</param>
    public void Append(Backend backend, Tensor keys, Tensor values, ReadOnlySpan<int> lengths)
    {
        int added = keys.Rows / batch;
        int longest = 0;
        foreach (int length in lengths)
        {
            longest = Math.Max(longest, length);
        }

        Reserve(backend, checked(longest + added));
        var rows = new int[keys.Rows];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] = (i / added * Capacity) + lengths[i / added] + (i % added);
        }

        backend.ScatterRows(keys, rows, Keys);
        backend.ScatterRows(values, rows, Values);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _keys?.Dispose();
        _values?.Dispose();
    }

    private void Reserve(Backend backend, int tokens)
    {
        if (tokens <= Capacity)
        {
            return;
        }

        int capacity = Math.Max(Math.Max(SmallestCapacity, tokens), checked(2 * Capacity));
        _keys = Grow(backend, _keys, capacity);
        _values = Grow(backend, _values, capacity);
        Capacity = capacity;
    }

    private Tensor Grow(Backend backend, Tensor? old, int capacity)
    {
        Tensor grown = backend.Rent(checked(batch * capacity), columns);
        if (old is not null)
        {
            var rows = new int[old.Rows];
            for (int i = 0; i < rows.Length; i++)
            {
                rows[i] = (i / Capacity * capacity) + (i % Capacity);
            }

            backend.ScatterRows(old, rows, grown);
            old.Dispose();
        }

        return grown;
    }
}

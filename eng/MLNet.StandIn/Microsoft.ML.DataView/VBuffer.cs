using System.Collections;

namespace Microsoft.ML.Data;

/// <summary>
/// A vector value, dense or sparse. It owns its arrays only as long as its holder does: <see cref="VBufferEditor"/> reuses them.
/// </summary>
public readonly struct VBuffer<T> : IEnumerable
{
    public readonly int Length;

    private readonly int _count;
    private readonly T[] _values;
    private readonly int[] _indices;

    /// <summary>A dense vector.</summary>
    public VBuffer(int length, T[] values, int[] indices = null)
        : this(length, length, values, indices)
    {
    }

    /// <summary>A vector with <paramref name="count"/> explicit values; sparse, with ascending indices, if that is fewer than its length.</summary>
    public VBuffer(int length, int count, T[] values, int[] indices)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, length);
        ArgumentOutOfRangeException.ThrowIfLessThan(values?.Length ?? 0, count, nameof(values));
        if (count < length)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(indices?.Length ?? 0, count, nameof(indices));
        }
        (Length, _count, _values, _indices) = (length, count, values, indices);
    }

    public bool IsDense => _count == Length;

    /// <summary>The explicit values.</summary>
    public ReadOnlySpan<T> GetValues() => _values.AsSpan(0, _count);

    /// <summary>The ascending indices of the explicit values; empty when dense.</summary>
    public ReadOnlySpan<int> GetIndices() => IsDense ? default : _indices.AsSpan(0, _count);

    public void CopyToDense(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length);
        CopyTo(editor.Values);
        destination = editor.Commit();
    }

    public void CopyTo(ref VBuffer<T> destination)
    {
        var editor = VBufferEditor.Create(ref destination, Length, _count);
        GetValues().CopyTo(editor.Values);
        GetIndices().CopyTo(editor.Indices);
        destination = editor.Commit();
    }

    public void CopyTo(ref VBuffer<T> destination, int sourceIndex, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sourceIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sourceIndex, Length);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - sourceIndex);
        if (IsDense)
        {
            var dense = VBufferEditor.Create(ref destination, length);
            _values.AsSpan(sourceIndex, length).CopyTo(dense.Values);
            destination = dense.Commit();
            return;
        }

        int first = LowerBound(sourceIndex), last = LowerBound(sourceIndex + length);
        var sparse = VBufferEditor.Create(ref destination, length, last - first);
        _values.AsSpan(first, last - first).CopyTo(sparse.Values);
        for (int i = 0; i < sparse.Indices.Length; i++)
        {
            sparse.Indices[i] = _indices[first + i] - sourceIndex;
        }
        destination = sparse.Commit();
    }

    public void CopyTo(Span<T> destination) => CopyTo(destination, 0);

    /// <summary>Writes all <see cref="Length"/> values, the implicit ones as <paramref name="defaultValue"/>.</summary>
    public void CopyTo(Span<T> destination, int destinationIndex, T defaultValue = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(destinationIndex);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destinationIndex, destination.Length - Length);
        var target = destination.Slice(destinationIndex, Length);
        if (IsDense)
        {
            GetValues().CopyTo(target);
            return;
        }
        target.Fill(defaultValue);
        for (int i = 0; i < _count; i++)
        {
            target[_indices[i]] = _values[i];
        }
    }

    /// <summary>Makes the destination a dense vector of part of an array.</summary>
    public static void Copy(T[] source, int sourceIndex, ref VBuffer<T> destination, int length)
    {
        var editor = VBufferEditor.Create(ref destination, length);
        source.AsSpan(sourceIndex, length).CopyTo(editor.Values);
        destination = editor.Commit();
    }

    /// <summary>The explicit values, or all, with their indices.</summary>
    public IEnumerable<KeyValuePair<int, T>> Items(bool all = false)
    {
        for (int i = 0, next = 0; i < Length; i++)
        {
            bool isExplicit = next < _count && (IsDense || _indices[next] == i);
            if (isExplicit || all)
            {
                yield return new(i, isExplicit ? _values[next] : default);
            }
            if (isExplicit)
            {
                next++;
            }
        }
    }

    public IEnumerable<T> DenseValues() => Items(all: true).Select(item => item.Value);

    public void GetItemOrDefault(int index, ref T destination) => destination = GetItemOrDefault(index);

    public T GetItemOrDefault(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Length);
        if (IsDense)
        {
            return _values[index];
        }
        int position = LowerBound(index);
        return position < _count && _indices[position] == index ? _values[position] : default;
    }

    /// <summary>The explicit values.</summary>
    public IEnumerator GetEnumerator() => GetValues().ToArray().GetEnumerator();

    public override string ToString() => IsDense ? $"Dense vector of size {Length}" : $"Sparse vector of size {Length}, {_count} explicit values";

    internal VBufferEditor<T> Edit() => new(Length, _count, _values, _indices, createdNewValues: false, createdNewIndices: false);

    internal VBufferEditor<T> Edit(int newLogicalLength, int? valuesCount, int? maxValuesCapacity, bool keepOldOnResize, bool requireIndicesOnDense)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(newLogicalLength);
        int count = valuesCount ?? newLogicalLength;
        ArgumentOutOfRangeException.ThrowIfNegative(count, nameof(valuesCount));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, newLogicalLength, nameof(valuesCount));
        int limit = maxValuesCapacity ?? newLogicalLength;

        var values = Grown(_values, count, limit, keepOldOnResize);
        bool needIndices = count < newLogicalLength || requireIndicesOnDense;
        var indices = needIndices ? Grown(_indices, count, limit, keepOldOnResize) : _indices;
        return new(newLogicalLength, count, values, indices, values != _values, indices != _indices);
    }

    private int LowerBound(int index)
    {
        int found = GetIndices().BinarySearch(index);
        return found < 0 ? ~found : found;
    }

    private static TItem[] Grown<TItem>(TItem[] old, int count, int limit, bool keep)
    {
        int oldLength = old?.Length ?? 0;
        if (oldLength >= count)
        {
            return old;
        }
        var grown = new TItem[Math.Max(count, Math.Min(limit, 2 * oldLength))];
        if (keep)
        {
            old.AsSpan().CopyTo(grown);
        }
        return grown;
    }
}

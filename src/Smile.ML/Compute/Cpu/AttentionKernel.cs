using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Attention of one sequence and key/value head per task. Keys are transposed once per task, so that both products run along
/// consecutive memory and each score is one chain of additions in the order of the features, whatever the register width.
/// </summary>
internal readonly unsafe struct AttentionKernel(
    TensorCache cache, float* queries, float* keys, float* values, AttentionShape shape, float* result) : IParallelWork
{
    private readonly int _group = shape.Heads / shape.KeyValueHeads;

    /// <summary>Gets the number of tasks.</summary>
    public int Count => shape.Batch * shape.KeyValueHeads;

    public void Execute(int index)
    {
        int sequence = index / shape.KeyValueHeads;
        int keyHead = index % shape.KeyValueHeads;
        int width = shape.HeadSize;
        nint keyStride = (nint)shape.KeyValueHeads * width;
        nint queryStride = (nint)shape.Heads * width;
        KeyRange seen = Seen(sequence);
        nint firstKey = ((nint)sequence * (shape.KeyStride > 0 ? shape.KeyStride : shape.KeyTokens)) + seen.Start;
        float* k = keys + (firstKey * keyStride) + (keyHead * width);
        float* v = values + (firstKey * keyStride) + (keyHead * width);

        using CpuTensor transposed = cache.Rent(width, seen.Padded);
        using CpuTensor scores = cache.Rent(1, seen.Padded);
        Transpose(k, keyStride, seen, transposed.Pointer);
        for (int head = keyHead * _group; head < (keyHead + 1) * _group; head++)
        {
            for (int i = 0; i < shape.QueryTokens; i++)
            {
                nint offset = (((nint)sequence * shape.QueryTokens) + i) * queryStride + (head * width);
                Score(queries + offset, transposed.Pointer, seen, scores.Pointer);
                Mask(scores.Pointer, sequence, head, i, seen);
                float sum = Softmax(scores.Pointer, seen.Padded);
                Mix(scores.Pointer, v, keyStride, seen.Count, 1f / sum, result + offset);
            }
        }
    }

    /// <summary>The keys that any query of a sequence sees. They begin at a whole register, so that each keeps its lane in every sum.</summary>
    private KeyRange Seen(int sequence)
    {
        int end = shape.KeyCounts is { } counts ? counts[sequence] : shape.KeyTokens;
        int first = shape.Causal && shape.Window > 0 ? Math.Max(0, end - shape.QueryTokens - shape.Window + 1) : 0;
        int start = first / VectorMath.Lanes * VectorMath.Lanes;
        return new KeyRange(start, end - start);
    }

    /// <summary>Transposes the keys, a register's worth of them at a time: whole cache lines are written.</summary>
    private void Transpose(float* k, nint stride, KeyRange seen, float* transposed)
    {
        for (int first = 0; first < seen.Padded; first += VectorMath.Lanes)
        {
            int count = Math.Min(VectorMath.Lanes, seen.Count - first);
            float* from = k + (first * stride);
            float* to = transposed + first;
            for (int c = 0; c < shape.HeadSize; c++, to += seen.Padded)
            {
                for (int j = 0; j < count; j++)
                {
                    to[j] = from[(j * stride) + c];
                }

                new Span<float>(to + count, VectorMath.Lanes - count).Clear();
            }
        }
    }

    private void Score(float* query, float* transposed, KeyRange seen, float* scores)
    {
        Vector512<float> scale = Vector512.Create(shape.Scale);
        for (int j = 0; j < seen.Padded; j += VectorMath.Lanes)
        {
            Vector512<float> sum = default;
            float* column = transposed + j;
            for (int c = 0; c < shape.HeadSize; c++, column += seen.Padded)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.Create(query[c]), Vector512.Load(column), sum);
            }

            (sum * scale).Store(scores + j);
        }
    }

    /// <summary>Adds the bias and sets what the query may not see to minus infinity.</summary>
    private void Mask(float* scores, int sequence, int head, int query, KeyRange seen)
    {
        if (shape.Bias is CpuTensor bias)
        {
            float* row = bias.RowPointer((head * shape.QueryTokens) + query) + seen.Start;
            for (int j = 0; j < seen.Count; j++)
            {
                scores[j] += row[j];
            }
        }

        if (shape.KeyMask is { } mask)
        {
            // Hugging Face adds the lowest float, not minus infinity: a row without any visible key then attends to all alike.
            ReadOnlySpan<byte> visible = mask.AsSpan((sequence * shape.KeyTokens) + seen.Start, seen.Count);
            for (int j = 0; j < visible.Length; j++)
            {
                if (visible[j] == 0)
                {
                    scores[j] = float.MinValue;
                }
            }
        }

        int end = seen.Count;
        if (shape.Causal)
        {
            int last = query + seen.Count - shape.QueryTokens;
            int first = shape.Window > 0 ? last - shape.Window + 1 : 0;
            end = last + 1;
            if (first > 0)
            {
                new Span<float>(scores, first).Fill(float.NegativeInfinity);
            }
        }

        new Span<float>(scores + end, seen.Padded - end).Fill(float.NegativeInfinity);
    }

    /// <summary>Replaces scores by e^(score - maximum) and returns their sum.</summary>
    private static float Softmax(float* scores, int count)
    {
        Vector512<float> highest = Vector512.Create(float.NegativeInfinity);
        for (int j = 0; j < count; j += VectorMath.Lanes)
        {
            highest = Vector512.Max(highest, Vector512.Load(scores + j));
        }

        float maximum = highest[0];
        for (int lane = 1; lane < VectorMath.Lanes; lane++)
        {
            maximum = MathF.Max(maximum, highest[lane]);
        }

        Vector512<float> sum = default;
        for (int j = 0; j < count; j += VectorMath.Lanes)
        {
            Vector512<float> e = VectorMath.Exp(Vector512.Load(scores + j) - Vector512.Create(maximum));
            e.Store(scores + j);
            sum += e;
        }

        return VectorMath.Sum(sum);
    }

    private void Mix(float* weights, float* v, nint stride, int keyCount, float scale, float* output)
    {
        for (int c = 0; c < shape.HeadSize; c += VectorMath.Lanes)
        {
            int count = shape.HeadSize - c;
            Vector512<float> sum = default;
            float* row = v + c;
            for (int j = 0; j < keyCount; j++, row += stride)
            {
                // A key that may not be seen has weight 0; its value may be anything, NaN included.
                if (weights[j] != 0)
                {
                    sum = Vector512.FusedMultiplyAdd(Vector512.Create(weights[j]), VectorMath.Load(row, count), sum);
                }
            }

            VectorMath.Store(sum * Vector512.Create(scale), output + c, count);
        }
    }

    /// <summary>Consecutive keys of a sequence.</summary>
    /// <param name="Start">The first one.</param>
    /// <param name="Count">How many they are.</param>
    private readonly record struct KeyRange(int Start, int Count)
    {
        /// <summary>Gets the count rounded up to whole registers.</summary>
        public int Padded => (Count + VectorMath.Lanes - 1) / VectorMath.Lanes * VectorMath.Lanes;
    }
}

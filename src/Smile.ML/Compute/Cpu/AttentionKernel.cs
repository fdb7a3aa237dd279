using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Attention of one sequence and key/value head per task. Keys are transposed once per task, so that both products run along
/// consecutive memory and each score is one chain of additions in the order of the features, whatever the register width. A few queries
/// at a time share what is read, and hold the only scores there are.
/// </summary>
internal readonly unsafe struct AttentionKernel(
    TensorCache cache, float* queries, float* keys, float* values, AttentionShape shape, float* result) : IParallelWork
{
    private const int QueryBlock = 4;

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
        using CpuTensor scores = cache.Rent(QueryBlock, seen.Padded);
        Transpose(k, keyStride, seen, transposed.Pointer);
        float* scales = stackalloc float[QueryBlock];
        for (int head = keyHead * _group; head < (keyHead + 1) * _group; head++)
        {
            for (int i = 0; i < shape.QueryTokens; i += QueryBlock)
            {
                int count = Math.Min(QueryBlock, shape.QueryTokens - i);
                nint offset = (((nint)sequence * shape.QueryTokens) + i) * queryStride + (head * width);
                Score(queries + offset, queryStride, count, transposed.Pointer, seen, scores.Pointer);
                for (int j = 0; j < count; j++)
                {
                    Mask(scores.RowPointer(j), sequence, head, i + j, seen);
                    scales[j] = 1f / Softmax(scores.RowPointer(j), seen.Padded);
                }

                Mix(scores.Pointer, count, v, keyStride, seen, scales, result + offset, queryStride);
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

    /// <summary>Computes the scores of up to four queries. Missing ones repeat the last.</summary>
    private void Score(float* query, nint stride, int count, float* transposed, KeyRange seen, float* scores)
    {
        Vector512<float> scale = Vector512.Create(shape.Scale);
        float* q0 = query, q1 = query + (Math.Min(1, count - 1) * stride);
        float* q2 = query + (Math.Min(2, count - 1) * stride), q3 = query + (Math.Min(3, count - 1) * stride);
        for (int j = 0; j < seen.Padded; j += VectorMath.Lanes)
        {
            Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
            float* column = transposed + j;
            for (int c = 0; c < shape.HeadSize; c++, column += seen.Padded)
            {
                Vector512<float> key = Vector512.Load(column);
                s0 = Vector512.FusedMultiplyAdd(Vector512.Create(q0[c]), key, s0);
                s1 = Vector512.FusedMultiplyAdd(Vector512.Create(q1[c]), key, s1);
                s2 = Vector512.FusedMultiplyAdd(Vector512.Create(q2[c]), key, s2);
                s3 = Vector512.FusedMultiplyAdd(Vector512.Create(q3[c]), key, s3);
            }

            (s0 * scale).Store(scores + j);
            (s1 * scale).Store(scores + seen.Padded + j);
            (s2 * scale).Store(scores + (2 * seen.Padded) + j);
            (s3 * scale).Store(scores + (3 * seen.Padded) + j);
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

        for (int j = 0; j < count; j += VectorMath.Lanes)
        {
            (Vector512.Load(scores + j) - Vector512.Create(maximum)).Store(scores + j);
        }

        ElementKernels.Apply<ElementKernels.Exponential>(scores, count);
        Vector512<float> sum = default;
        for (int j = 0; j < count; j += VectorMath.Lanes)
        {
            sum += Vector512.Load(scores + j);
        }

        return VectorMath.Sum(sum);
    }

    /// <summary>Sums the values by the weights of up to four queries. Missing ones repeat the last and are not stored.</summary>
    private void Mix(float* weights, int queryCount, float* v, nint stride, KeyRange seen, float* scales, float* output, nint outputStride)
    {
        int last = queryCount - 1;
        float* w0 = weights, w1 = weights + (Math.Min(1, last) * seen.Padded);
        float* w2 = weights + (Math.Min(2, last) * seen.Padded), w3 = weights + (Math.Min(3, last) * seen.Padded);
        for (int c = 0; c < shape.HeadSize; c += VectorMath.Lanes)
        {
            int count = shape.HeadSize - c;
            Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
            float* row = v + c;
            for (int j = 0; j < seen.Count; j++, row += stride)
            {
                Vector512<float> value = VectorMath.Load(row, count);
                s0 = AddVisible(w0[j], value, s0);
                s1 = AddVisible(w1[j], value, s1);
                s2 = AddVisible(w2[j], value, s2);
                s3 = AddVisible(w3[j], value, s3);
            }

            VectorMath.Store(s0 * Vector512.Create(scales[0]), output + c, count);
            if (last >= 1)
            {
                VectorMath.Store(s1 * Vector512.Create(scales[1]), output + outputStride + c, count);
            }

            if (last >= 2)
            {
                VectorMath.Store(s2 * Vector512.Create(scales[2]), output + (2 * outputStride) + c, count);
            }

            if (last >= 3)
            {
                VectorMath.Store(s3 * Vector512.Create(scales[3]), output + (3 * outputStride) + c, count);
            }
        }
    }

    /// <summary>Adds weight * value. A key that may not be seen has weight 0; its value may be anything, NaN included.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddVisible(float weight, Vector512<float> value, Vector512<float> sum)
        => weight == 0 ? sum : Vector512.FusedMultiplyAdd(Vector512.Create(weight), value, sum);

    /// <summary>Consecutive keys of a sequence.</summary>
    /// <param name="Start">The first one.</param>
    /// <param name="Count">How many they are.</param>
    private readonly record struct KeyRange(int Start, int Count)
    {
        /// <summary>Gets the count rounded up to whole registers.</summary>
        public int Padded => (Count + VectorMath.Lanes - 1) / VectorMath.Lanes * VectorMath.Lanes;
    }
}

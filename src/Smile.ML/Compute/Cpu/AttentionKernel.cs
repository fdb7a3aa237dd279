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
    private readonly int _keyPadding = (shape.KeyTokens + VectorMath.Lanes - 1) / VectorMath.Lanes * VectorMath.Lanes;

    /// <summary>Gets the number of tasks.</summary>
    public int Count => shape.Batch * shape.KeyValueHeads;

    public void Execute(int index)
    {
        int sequence = index / shape.KeyValueHeads;
        int keyHead = index % shape.KeyValueHeads;
        int width = shape.HeadSize;
        nint keyStride = (nint)shape.KeyValueHeads * width;
        nint queryStride = (nint)shape.Heads * width;
        float* k = keys + (sequence * shape.KeyTokens * keyStride) + (keyHead * width);
        float* v = values + (sequence * shape.KeyTokens * keyStride) + (keyHead * width);

        using CpuTensor transposed = cache.Rent(width, _keyPadding);
        using CpuTensor scores = cache.Rent(1, _keyPadding);
        Transpose(k, keyStride, transposed.Pointer);
        for (int head = keyHead * _group; head < (keyHead + 1) * _group; head++)
        {
            for (int i = 0; i < shape.QueryTokens; i++)
            {
                nint offset = (((nint)sequence * shape.QueryTokens) + i) * queryStride + (head * width);
                Score(queries + offset, transposed.Pointer, scores.Pointer);
                Mask(scores.Pointer, sequence, head, i);
                float sum = Softmax(scores.Pointer);
                Mix(scores.Pointer, v, keyStride, 1f / sum, result + offset);
            }
        }
    }

    private void Transpose(float* k, nint stride, float* transposed)
    {
        for (int c = 0; c < shape.HeadSize; c++)
        {
            float* row = transposed + ((nint)c * _keyPadding);
            for (int j = 0; j < shape.KeyTokens; j++)
            {
                row[j] = k[(j * stride) + c];
            }

            new Span<float>(row + shape.KeyTokens, _keyPadding - shape.KeyTokens).Clear();
        }
    }

    private void Score(float* query, float* transposed, float* scores)
    {
        Vector512<float> scale = Vector512.Create(shape.Scale);
        for (int j = 0; j < _keyPadding; j += VectorMath.Lanes)
        {
            Vector512<float> sum = default;
            float* column = transposed + j;
            for (int c = 0; c < shape.HeadSize; c++, column += _keyPadding)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.Create(query[c]), Vector512.Load(column), sum);
            }

            (sum * scale).Store(scores + j);
        }
    }

    /// <summary>Adds the bias and sets what the query may not see to minus infinity.</summary>
    private void Mask(float* scores, int sequence, int head, int query)
    {
        if (shape.Bias is CpuTensor bias)
        {
            float* row = bias.RowPointer((head * shape.QueryTokens) + query);
            for (int j = 0; j < shape.KeyTokens; j++)
            {
                scores[j] += row[j];
            }
        }

        if (shape.KeyMask is { } mask)
        {
            // Hugging Face adds the lowest float, not minus infinity: a row without any visible key then attends to all alike.
            ReadOnlySpan<byte> visible = mask.AsSpan(sequence * shape.KeyTokens, shape.KeyTokens);
            for (int j = 0; j < visible.Length; j++)
            {
                if (visible[j] == 0)
                {
                    scores[j] = float.MinValue;
                }
            }
        }

        int end = shape.KeyTokens;
        if (shape.Causal)
        {
            int last = query + shape.KeyTokens - shape.QueryTokens;
            int first = shape.Window > 0 ? last - shape.Window + 1 : 0;
            end = last + 1;
            if (first > 0)
            {
                new Span<float>(scores, first).Fill(float.NegativeInfinity);
            }
        }

        new Span<float>(scores + end, _keyPadding - end).Fill(float.NegativeInfinity);
    }

    /// <summary>Replaces scores by e^(score - maximum) and returns their sum.</summary>
    private float Softmax(float* scores)
    {
        Vector512<float> highest = Vector512.Create(float.NegativeInfinity);
        for (int j = 0; j < _keyPadding; j += VectorMath.Lanes)
        {
            highest = Vector512.Max(highest, Vector512.Load(scores + j));
        }

        float maximum = highest[0];
        for (int lane = 1; lane < VectorMath.Lanes; lane++)
        {
            maximum = MathF.Max(maximum, highest[lane]);
        }

        Vector512<float> sum = default;
        for (int j = 0; j < _keyPadding; j += VectorMath.Lanes)
        {
            Vector512<float> e = VectorMath.Exp(Vector512.Load(scores + j) - Vector512.Create(maximum));
            e.Store(scores + j);
            sum += e;
        }

        return VectorMath.Sum(sum);
    }

    private void Mix(float* weights, float* v, nint stride, float scale, float* output)
    {
        for (int c = 0; c < shape.HeadSize; c += VectorMath.Lanes)
        {
            int count = shape.HeadSize - c;
            Vector512<float> sum = default;
            float* row = v + c;
            for (int j = 0; j < shape.KeyTokens; j++, row += stride)
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
}

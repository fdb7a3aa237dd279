using Smile.ML.Compute;

namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>Attention with every mask, bias and cache layout.</summary>
internal static class AttentionCases
{
    public static IEnumerable<OperationCase> All =>
    [
        Of("one token", new Sizes(1, 1, 1, 1, 1, 4)),
        Of("plain", new Sizes(2, 5, 5, 2, 2, 8)),
        Of("grouped keys, causal", new Sizes(3, 33, 33, 4, 2, 20), causal: true),
        Of("one query of many keys", new Sizes(2, 1, 70, 4, 1, 16), causal: true),
        Of("some queries of many keys", new Sizes(2, 19, 65, 2, 1, 16), causal: true, bias: true),
        Of("window", new Sizes(1, 90, 90, 2, 1, 7), causal: true, window: 4),
        Of("window, one query", new Sizes(2, 1, 100, 2, 1, 9), causal: true, window: 37),
        Of("key mask and bias", new Sizes(3, 21, 40, 3, 3, 33), bias: true, mask: true),
        Of("key mask, causal", new Sizes(2, 40, 40, 2, 2, 12), causal: true, mask: true),
        Of("head of 128", new Sizes(1, 18, 35, 2, 1, 128), bias: true),
        Of("head of 130", new Sizes(1, 10, 33, 2, 1, 130), causal: true),
        Of("head of 256", new Sizes(1, 3, 34, 1, 1, 256), mask: true),
        Of("cache with room", new Sizes(3, 2, 11, 2, 2, 8), causal: true, stride: 40),
        Of("cache, sequences of different lengths", new Sizes(3, 1, 50, 2, 1, 8), causal: true, stride: 64, counts: [50, 3, 33]),
        Of("NaN in a query", new Sizes(1, 5, 5, 12, 12, 64), nanQuery: 3),
        Of("NaN in a key, causal", new Sizes(2, 37, 37, 4, 2, 64), causal: true, nanKey: 33),
        Of("NaN in a key, window", new Sizes(1, 90, 90, 2, 1, 7), causal: true, window: 4, nanKey: 40),
        Of("NaN in a key that is masked", new Sizes(3, 5, 34, 2, 1, 130), mask: true, nanKey: 1),
        Of("NaN in a query, cache", new Sizes(3, 2, 50, 2, 1, 64), causal: true, stride: 64, counts: [50, 3, 33], nanQuery: 0),
        new OperationCase("attention: a query alone and in a batch", false, (backend, _) => QueriesAreIndependent(backend)),
    ];

    private static OperationCase Of(
        string what,
        Sizes sizes,
        bool causal = false,
        int window = 0,
        bool bias = false,
        bool mask = false,
        int stride = 0,
        int[]? counts = null,
        int? nanQuery = null,
        int? nanKey = null)
        => new($"attention: {what}", false, (backend, _) => Run(backend, sizes, causal, window, bias, mask, stride, counts, nanQuery, nanKey));

    private static void Run(
        Backend backend, Sizes sizes, bool causal, int window, bool bias, bool mask, int stride, int[]? counts, int? nanQuery, int? nanKey)
    {
        (int batch, int queries, int keys, int heads, int keyHeads, int size) = sizes;
        int rows = stride > 0 ? stride : keys;
        float[] q = Values.Random(1, batch * queries * heads * size);
        float[] k = Values.Random(2, batch * rows * keyHeads * size), v = Values.Random(3, batch * rows * keyHeads * size);
        float[] b = Values.Random(4, heads * queries * keys);
        var random = new Random(5);

        // One feature of one head, of the first sequence.
        if (nanQuery is { } nan)
        {
            q[(nan * heads * size) + 1] = float.NaN;
        }

        if (nanKey is { } nanRow)
        {
            k[(nanRow * keyHeads * size) + 1] = float.NaN;
        }

        byte[] visible = [.. Enumerable.Range(0, batch * keys).Select(_ => (byte)random.Next(2))];

        // One sequence sees nothing: it attends to all alike.
        visible.AsSpan(0, keys).Clear();

        // What no query may see may hold anything.
        for (int s = 0; s < batch; s++)
        {
            int end = counts?[s] ?? keys;
            k.AsSpan(((s * rows) + end) * keyHeads * size, (rows - end) * keyHeads * size).Fill(float.NaN);
            v.AsSpan(((s * rows) + end) * keyHeads * size, (rows - end) * keyHeads * size).Fill(float.NaN);
        }

        using Tensor biasTensor = backend.Upload(heads * queries, keys, b);
        var shape = new AttentionShape
        {
            Batch = batch,
            QueryTokens = queries,
            KeyTokens = keys,
            KeyStride = stride,
            KeyCounts = counts,
            Heads = heads,
            KeyValueHeads = keyHeads,
            HeadSize = size,
            Scale = 0.3f,
            Causal = causal,
            Window = window,
            Bias = bias ? biasTensor : null,
            KeyMask = mask ? visible : null,
        };
        float[] actual = Attend(backend, q, k, v, shape);
        var expected = new double[q.Length];
        for (int s = 0; s < batch; s++)
        {
            int count = counts?[s] ?? keys;
            for (int h = 0; h < heads; h++)
            {
                int kh = h / (heads / keyHeads);
                for (int i = 0; i < queries; i++)
                {
                    int last = i + count - queries;
                    var scores = new double[count];
                    for (int j = 0; j < count; j++)
                    {
                        for (int c = 0; c < size; c++)
                        {
                            scores[j] += 0.3f * (double)q[(((((s * queries) + i) * heads) + h) * size) + c] * k[(((((s * rows) + j) * keyHeads) + kh) * size) + c];
                        }

                        scores[j] += bias ? b[(((h * queries) + i) * keys) + j] : 0;
                        scores[j] = mask && visible[(s * keys) + j] == 0 ? float.MinValue : scores[j];
                        scores[j] = causal && (j > last || (window > 0 && j <= last - window)) ? double.NegativeInfinity : scores[j];
                    }

                    // As the CPU's: a NaN among the scores makes the maximum NaN, and so the whole result.
                    double max = scores.Aggregate(double.NegativeInfinity, Math.Max), sum = scores.Sum(score => Math.Exp(score - max));
                    for (int j = 0; j < count; j++)
                    {
                        double weight = Math.Exp(scores[j] - max) / sum;
                        for (int c = 0; weight != 0 && c < size; c++)
                        {
                            expected[(((((s * queries) + i) * heads) + h) * size) + c] += weight * v[(((((s * rows) + j) * keyHeads) + kh) * size) + c];
                        }
                    }
                }
            }
        }

        Values.AssertClose("mixed values", expected, actual, 2e-6);
    }

    private static float[] Attend(Backend backend, float[] q, float[] k, float[] v, AttentionShape shape)
    {
        int width = shape.Heads * shape.HeadSize, keyWidth = shape.KeyValueHeads * shape.HeadSize;
        using Tensor queries = backend.Upload(q.Length / width, width, q), result = backend.Rent(q.Length / width, width);
        using Tensor keys = backend.Upload(k.Length / keyWidth, keyWidth, k), values = backend.Upload(v.Length / keyWidth, keyWidth, v);
        backend.Attention(queries, keys, values, shape, result);
        return backend.Download(result);
    }

    /// <summary>The last query of a causal sequence, alone over all keys, as in generation.</summary>
    private static void QueriesAreIndependent(Backend backend)
    {
        const int Tokens = 75, Size = 24;
        float[] q = Values.Random(1, Tokens * Size), k = Values.Random(2, Tokens * Size), v = Values.Random(3, Tokens * Size);
        var shape = new AttentionShape
        {
            Batch = 1,
            QueryTokens = Tokens,
            KeyTokens = Tokens,
            Heads = 1,
            KeyValueHeads = 1,
            HeadSize = Size,
            Scale = 0.2f,
            Causal = true,
            Window = 38,
        };
        float[] together = Attend(backend, q, k, v, shape);
        float[] alone = Attend(backend, q[^Size..], k, v, shape with { QueryTokens = 1 });
        Values.AssertSame<float>("the last query", together.AsSpan(together.Length - Size), alone);
    }

    private sealed record Sizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int Size);
}

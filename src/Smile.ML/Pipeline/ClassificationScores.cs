using Smile.ML.Networks;

namespace Smile.ML;

/// <summary>What a task head makes of a block of embeddings: the classes' probabilities and the likeliest class, computed when asked for.</summary>
internal sealed class ClassificationScores(TaskHead head)
{
    private float[] _probabilities = [];
    private uint[] _labels = [];
    private bool _computed;

    /// <summary>Forgets the block.</summary>
    public void Clear() => _computed = false;

    /// <summary>Gets the probabilities of a row's classes, the softmax of the logits.</summary>
    public ReadOnlySpan<float> Probabilities(ReadOnlySpan<float> embeddings, int row)
    {
        Compute(embeddings);
        int classes = head.ClassNames.Count;
        return _probabilities.AsSpan(row * classes, classes);
    }

    /// <summary>Gets a row's likeliest class, counted from 1; 0, ML.NET's missing key, where the scores are not numbers.</summary>
    public uint Label(ReadOnlySpan<float> embeddings, int row)
    {
        Compute(embeddings);
        return _labels[row];
    }

    private void Compute(ReadOnlySpan<float> embeddings)
    {
        if (_computed)
        {
            return;
        }

        int classes = head.ClassNames.Count;
        int rows = embeddings.Length / head.EmbeddingSize;
        if (_labels.Length < rows)
        {
            _labels = new uint[rows];
            _probabilities = new float[rows * classes];
        }

        for (int row = 0; row < rows; row++)
        {
            Span<float> scores = _probabilities.AsSpan(row * classes, classes);
            head.Score(embeddings.Slice(row * head.EmbeddingSize, head.EmbeddingSize), scores);
            _labels[row] = Softmax(scores);
        }

        _computed = true;
    }

    /// <summary>Turns logits into probabilities, p_c = exp(l_c - max l) / sum, and returns the first largest, counted from 1.</summary>
    private static uint Softmax(Span<float> scores)
    {
        int best = 0;
        for (int c = 1; c < scores.Length; c++)
        {
            best = scores[c] > scores[best] ? c : best;
        }

        float largest = scores[best];
        double sum = 0;
        foreach (float logit in scores)
        {
            sum += Math.Exp(logit - largest);
        }

        for (int c = 0; c < scores.Length; c++)
        {
            scores[c] = (float)(Math.Exp(scores[c] - largest) / sum);
        }

        return double.IsNaN(sum) ? 0 : (uint)best + 1;
    }
}

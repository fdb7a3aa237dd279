namespace Smile.ML;

/// <summary>What a classifier makes of a row of the network's output: probabilities and the likeliest class, computed when asked for.</summary>
internal sealed class ClassificationScores(ClassifierColumns classifier)
{
    private float[] _probabilities = [];
    private uint _label;
    private int _row = -1;

    /// <summary>Forgets the block.</summary>
    public void Clear() => _row = -1;

    /// <summary>Gets the probabilities of a row's classes, the softmax of the logits.</summary>
    public ReadOnlySpan<float> Probabilities(ReadOnlySpan<float> output, int row)
    {
        Compute(output, row);
        return _probabilities;
    }

    /// <summary>Gets a row's likeliest class, counted from 1; 0, ML.NET's missing key, where the scores are not numbers.</summary>
    public uint Label(ReadOnlySpan<float> output, int row)
    {
        Compute(output, row);
        return _label;
    }

    private void Compute(ReadOnlySpan<float> output, int row)
    {
        if (row == _row)
        {
            return;
        }

        if (_probabilities.Length == 0)
        {
            _probabilities = new float[classifier.ClassNames.Count];
        }

        if (classifier.Head is { } head)
        {
            head.Score(output, _probabilities);
        }
        else
        {
            output.CopyTo(_probabilities);
        }

        _label = Softmax(_probabilities);
        _row = row;
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

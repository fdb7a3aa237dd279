using Smile.ML.Networks;

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

        _label = (uint)(ClassProbabilities.Compute(output, classifier.Head, _probabilities) + 1);
        _row = row;
    }
}

using System.Buffers;

namespace Smile.ML.Compute.Cpu;

/// <summary>Router logits, chosen experts and weights in pooled arrays.</summary>
internal sealed class CpuRoutingDecision : RoutingDecision
{
    private float[] _scores;
    private int[] _selected;
    private float[] _weights;

    public CpuRoutingDecision(int tokens, int experts, int expertsPerToken)
    {
        Tokens = tokens;
        ExpertCount = experts;
        ExpertsPerToken = expertsPerToken;
        _scores = ArrayPool<float>.Shared.Rent(tokens * experts);
        _selected = ArrayPool<int>.Shared.Rent(tokens * expertsPerToken);
        _weights = ArrayPool<float>.Shared.Rent(tokens * expertsPerToken);
    }

    public override int Tokens { get; }

    public override int ExpertCount { get; }

    public override int ExpertsPerToken { get; }

    /// <summary>Gets the router logits of one token.</summary>
    public Span<float> Scores(int token) => _scores.AsSpan(token * ExpertCount, ExpertCount);

    /// <summary>Gets the chosen experts of one token.</summary>
    public Span<int> Selected(int token) => _selected.AsSpan(token * ExpertsPerToken, ExpertsPerToken);

    /// <summary>Gets the chosen experts' weights of one token.</summary>
    public Span<float> Weights(int token) => _weights.AsSpan(token * ExpertsPerToken, ExpertsPerToken);

    public override void Download(Span<float> scores, Span<int> selected, Span<float> weights)
    {
        _scores.AsSpan(0, Tokens * ExpertCount).CopyTo(scores);
        _selected.AsSpan(0, Tokens * ExpertsPerToken).CopyTo(selected);
        _weights.AsSpan(0, Tokens * ExpertsPerToken).CopyTo(weights);
    }

    public override void Dispose()
    {
        if (_scores.Length > 0)
        {
            ArrayPool<float>.Shared.Return(_scores);
            ArrayPool<int>.Shared.Return(_selected);
            ArrayPool<float>.Shared.Return(_weights);
            (_scores, _selected, _weights) = ([], [], []);
        }
    }
}

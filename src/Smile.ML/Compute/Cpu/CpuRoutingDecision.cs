namespace Smile.ML.Compute.Cpu;

/// <summary>Router logits, chosen experts and weights, in arrays that serve again after disposal.</summary>
internal sealed class CpuRoutingDecision(Stack<CpuRoutingDecision> free) : RoutingDecision
{
    private float[] _scores = [];
    private int[] _selected = [];
    private float[] _weights = [];
    private int _tokens;
    private int _expertCount;
    private int _expertsPerToken;
    private int _rented;

    public override int Tokens => _tokens;

    public override int ExpertCount => _expertCount;

    public override int ExpertsPerToken => _expertsPerToken;

    /// <summary>Takes a decision that is not in use, with undefined contents.</summary>
    /// <param name="free">Those not in use; locked while it is changed.</param>
    /// <param name="tokens">The rows to be routed.</param>
    /// <param name="experts">The experts to choose from.</param>
    /// <param name="expertsPerToken">The experts to choose.</param>
    public static CpuRoutingDecision Rent(Stack<CpuRoutingDecision> free, int tokens, int experts, int expertsPerToken)
    {
        CpuRoutingDecision? decision;
        lock (free)
        {
            free.TryPop(out decision);
        }

        decision ??= new CpuRoutingDecision(free);
        decision.Take(tokens, experts, expertsPerToken);
        return decision;
    }

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
        if (Interlocked.Exchange(ref _rented, 0) == 1)
        {
            lock (free)
            {
                free.Push(this);
            }
        }
    }

    private void Take(int tokens, int experts, int expertsPerToken)
    {
        (_tokens, _expertCount, _expertsPerToken, _rented) = (tokens, experts, expertsPerToken, 1);
        if (_scores.Length < tokens * experts)
        {
            _scores = new float[tokens * experts];
        }

        if (_selected.Length < tokens * expertsPerToken)
        {
            _selected = new int[tokens * expertsPerToken];
            _weights = new float[tokens * expertsPerToken];
        }
    }
}

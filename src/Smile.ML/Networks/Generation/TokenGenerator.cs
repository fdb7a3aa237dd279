namespace Smile.ML.Networks.Generation;

/// <summary>Grows a session's sequences, one token of each per round, until all have ended. Used by one thread at a time.</summary>
internal sealed class TokenGenerator : IDisposable
{
    private readonly GenerationSession _session;
    private readonly GenerationOptions _options;
    private readonly HashSet<int> _stopTokens;
    private readonly TokenSampler _sampler;
    private readonly int[] _tokens;
    private readonly bool[] _ended;
    private readonly IReadOnlyList<int> _streams;
    private int _position;

    /// <summary>Takes over a session.</summary>
    /// <param name="session">The session; disposed with the generator.</param>
    /// <param name="options">How to choose tokens; validated.</param>
    /// <param name="endTokens">The stop tokens where the options name none.</param>
    /// <param name="streams">Which random numbers each sequence draws; those of its index where null.</param>
    public TokenGenerator(GenerationSession session, GenerationOptions options, IEnumerable<int> endTokens, IReadOnlyList<int>? streams = null)
    {
        _session = session;
        _options = options;
        _stopTokens = [.. options.StopTokens ?? endTokens];
        _sampler = new TokenSampler(options);
        _tokens = new int[session.Batch];
        _ended = new bool[session.Batch];
        _streams = streams ?? [.. Enumerable.Range(0, session.Batch)];
    }

    /// <summary>Gets a value indicating whether every sequence has ended.</summary>
    public bool IsFinished => Array.TrueForAll(_ended, ended => ended);

    /// <summary>Gets the number of sequences.</summary>
    public int Batch => _session.Batch;

    /// <summary>Adds a token to every sequence that has not ended.</summary>
    /// <returns>The new tokens in the order of the sequences; empty when all have ended.</returns>
    public IReadOnlyList<GeneratedToken> Next(ForwardPass pass)
    {
        if (IsFinished)
        {
            return [];
        }

        // The prompt's pass has predicted the first tokens; each later round begins with the step over the round before.
        if (_position > 0)
        {
            _session.Step(pass, _tokens);
        }

        var added = new List<GeneratedToken>(Batch);
        for (int sequence = 0; sequence < Batch; sequence++)
        {
            if (!_ended[sequence])
            {
                int token = _sampler.Choose(_session.Logits(sequence), _streams[sequence], _position);
                _tokens[sequence] = token;
                _ended[sequence] = _stopTokens.Contains(token) || _position + 1 == _options.MaxNewTokens;
                added.Add(new GeneratedToken(sequence, _position, token, _ended[sequence]));
            }
        }

        _position++;
        return added;
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}

namespace Smile.ML.Networks.Generation;

/// <summary>How new tokens are chosen, and when a sequence ends.</summary>
public sealed record GenerationOptions
{
    /// <summary>Gets the most tokens to add to each sequence. 64 by default.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>
    /// Gets what logits are divided by before a token is drawn: below 1 prefers likely tokens, above 1 evens them out. 0, the default,
    /// draws nothing and takes the most likely token (of equal ones, the lowest id).
    /// </summary>
    public double Temperature { get; init; }

    /// <summary>Gets how many of the most likely tokens to draw from; null for all.</summary>
    public int? TopK { get; init; }

    /// <summary>
    /// Gets the probability that the tokens to draw from have together at least: the most likely ones up to and including the one that
    /// reaches it (nucleus sampling, arXiv 1904.09751), counted after temperature and <see cref="TopK"/>. 1, the default, for all.
    /// </summary>
    public double TopP { get; init; } = 1;

    /// <summary>
    /// Gets where the random numbers start. The same seed draws the same tokens; each sequence of a batch has random numbers of its own,
    /// which depend on the seed and the sequence's index alone.
    /// </summary>
    public ulong Seed { get; init; }

    /// <summary>
    /// Gets the tokens after which a sequence ends; null, the default, for those that the model's config.json names
    /// (<c>eos_token_id</c>). The stop token itself is part of the result.
    /// </summary>
    public IReadOnlyCollection<int>? StopTokens { get; init; }

    /// <summary>Gets the token that fills the positions after the end of the shorter sequences of a batch. 0 by default.</summary>
    public int PadToken { get; init; }

    /// <summary>Checks the options.</summary>
    /// <exception cref="SmileException">One is out of range, or limits a draw that doesn't take place.</exception>
    internal void Validate()
    {
        Require(MaxNewTokens >= 1, nameof(MaxNewTokens), MaxNewTokens, "1 or more");
        Require(Temperature >= 0 && double.IsFinite(Temperature), nameof(Temperature), Temperature, "a finite number, 0 or more");
        Require(TopK is null or >= 1, nameof(TopK), TopK, "1 or more, or null for all tokens");
        Require(TopP is > 0 and <= 1, nameof(TopP), TopP, "a probability above 0, up to 1");
        if (Temperature == 0 && (TopK is not null || TopP < 1))
        {
            throw new SmileException("TopK and TopP limit what is drawn, but at Temperature 0 nothing is drawn; expected a Temperature above 0.");
        }
    }

    private static void Require(bool valid, string option, object? found, string expected)
    {
        if (!valid)
        {
            throw new SmileException(FormattableString.Invariant($"{option} is {found}; expected {expected}."));
        }
    }
}

namespace Smile.ML.Examples.TextClassification;

/// <summary>A labelled sentence.</summary>
/// <param name="Text">Words, separated by spaces.</param>
/// <param name="Label">The name of its class.</param>
internal sealed record Sentence(string Text, string Label);

namespace Smile.ML.Tool;

/// <summary>Arguments that are well-formed one by one but not together.</summary>
internal sealed class UsageException(string message) : Exception(message);

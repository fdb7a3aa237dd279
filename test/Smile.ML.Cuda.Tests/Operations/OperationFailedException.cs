namespace Smile.ML.Cuda.Tests.Operations;

/// <summary>An operation's outcome is not what its formula says.</summary>
internal sealed class OperationFailedException(string message) : Exception(message);

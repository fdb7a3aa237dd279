namespace Smile.ML;

/// <summary>
/// A failure that the user can repair: a file, tensor, column or option that is not as it must be. The message names it, what was
/// found and what was expected.
/// </summary>
public class SmileException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What is wrong, where, and what was expected.</param>
    public SmileException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception over the one that caused it.</summary>
    /// <param name="message">What is wrong, where, and what was expected.</param>
    /// <param name="innerException">The cause.</param>
    public SmileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

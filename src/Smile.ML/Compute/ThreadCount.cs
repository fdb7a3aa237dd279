namespace Smile.ML.Compute;

/// <summary>The number of threads that options ask for.</summary>
internal static class ThreadCount
{
    /// <summary>The most threads that may be asked for.</summary>
    public const int Most = 1024;

    /// <summary>Checks a number of threads; null stands for all that the machine gives.</summary>
    /// <exception cref="SmileException">It is out of range.</exception>
    public static void Validate(int? threads)
    {
        if (threads is < 1 or > Most)
        {
            throw new SmileException($"Threads is {threads}; expected 1 to {Most}.");
        }
    }
}

namespace Microsoft.ML.Runtime;

internal static class Contracts
{
    private const string MarkKey = "ML_StandIn";

    /// <exception cref="OperationCanceledException">The environment was cancelled.</exception>
    public static void CheckAlive(this IHostEnvironment env)
    {
        if (env is ICancelable { IsCanceled: true })
        {
            throw env.Process(new OperationCanceledException("Operation was canceled."));
        }
    }

    public static void CheckNonEmpty(string value, string paramName)
    {
        if (string.IsNullOrEmpty(value))
        {
            throw new ArgumentOutOfRangeException(paramName, "It must not be empty.");
        }
    }

    /// <summary>Tells an exception of ours from one of a component's.</summary>
    public static TException Mark<TException>(TException ex)
        where TException : Exception
    {
        ex.Data[MarkKey] = true;
        return ex;
    }

    public static bool IsMarked(this Exception ex) => ex.Data.Contains(MarkKey);
}

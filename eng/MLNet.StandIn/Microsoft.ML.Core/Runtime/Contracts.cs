namespace Microsoft.ML.Runtime;

internal static class Contracts
{
    /// <exception cref="OperationCanceledException">The environment was cancelled.</exception>
    public static void CheckAlive(this IHostEnvironment env)
    {
        if (env is ICancelable { IsCanceled: true })
        {
            throw env.Process(new OperationCanceledException("Operation was canceled."));
        }
    }
}

namespace Smile.ML.DependencyInjection;

/// <summary>A predictor refused a request because as many as its queue holds are waiting. Try again later, or elsewhere.</summary>
public sealed class SmileOverloadException : SmileException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="model">The predictor's name.</param>
    /// <param name="capacity">The queue's capacity.</param>
    internal SmileOverloadException(string model, int capacity)
        : base($"Smile model \"{model}\" is overloaded: {capacity} requests are waiting, as many as {nameof(SmilePredictorOptions.QueueCapacity)} allows.")
    {
    }
}

namespace Smile.ML.DependencyInjection;

/// <summary>The names under which predictors are measured and traced.</summary>
public static class SmileInstrumentation
{
    /// <summary>
    /// The meter: <c>smile.requests</c> by <c>outcome</c> and <c>smile.request.duration</c> in seconds, generations included;
    /// <c>smile.batch.size</c> in rows and <c>smile.batch.duration</c> in seconds; <c>smile.queue.length</c> and <c>smile.overloads</c> in requests;
    /// <c>smile.reloads</c> by <c>outcome</c>. Each has the tag <c>model</c>.
    /// </summary>
    public const string MeterName = "Smile.ML";

    /// <summary>The activity source: <c>smile.predict</c> per request, <c>smile.batch</c> per run, linked to its requests', <c>smile.generate</c> per generation.</summary>
    public const string ActivitySourceName = "Smile.ML";
}

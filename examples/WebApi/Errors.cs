using Smile.ML.DependencyInjection;

namespace Smile.ML.Examples.WebApi;

/// <summary>Says by status code what went wrong: 503 for try again later, 400 for a request that can't be served.</summary>
internal static class Errors
{
    public static async ValueTask<object?> ToResponses(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (SmileOverloadException e)
        {
            context.HttpContext.Response.Headers.RetryAfter = "1";
            return Results.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
        catch (SmileException e)
        {
            return Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }
}

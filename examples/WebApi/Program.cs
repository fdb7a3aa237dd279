// Serves a fused model: POST /predict, POST /reload, GET /health, GET /metrics. With the argument "load" it sends load to such a server.
using Smile.ML;
using Smile.ML.DependencyInjection;
using Smile.ML.Examples.WebApi;

if (args is ["load", ..])
{
    return await LoadTest.RunAsync(args[1..]);
}

// The settings lie beside the program; folders in them are seen from where it is started.
WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Services.AddSmile(builder.Configuration.GetSection("Smile"));
builder.Services.AddSingleton<MetricsText>();
builder.Services.AddHealthChecks().AddCheck<SmileHealthCheck>("smile");
await using WebApplication app = builder.Build();

// Both begin their work when they are made: before the first request, not with it.
app.Services.GetRequiredService<MetricsText>();
app.Services.GetRequiredService<ISmilePredictor>();

RouteGroupBuilder api = app.MapGroup("").AddEndpointFilter(Errors.ToResponses);
api.MapPost("/predict", async (PredictRequest request, ISmilePredictor predictor, CancellationToken cancellation) =>
{
    float[] pixels = request.Pixels ?? throw new SmileException("The request has no pixels; expected the values of one image.");
    SmileClassification result = await predictor.ClassifyAsync(pixels, request.Tasks, cancellation);
    return result.Tasks.ToDictionary(task => task.Key, task => new PredictResponse(task.Value.Label, task.Value.Probabilities.Max()));
});
api.MapPost("/reload", async (ISmilePredictor predictor, CancellationToken cancellation) =>
{
    await predictor.ReloadAsync(cancellation);
    return Results.NoContent();
});
app.MapHealthChecks("/health");
app.MapGet("/metrics", (MetricsText metrics) => metrics.ToString());
await app.RunAsync();
return 0;

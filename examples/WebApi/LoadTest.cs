using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Smile.ML.Examples.WebApi;

/// <summary>Sends a number of requests from several callers at once, and says what came back: <c>load URL [requests] [callers]</c>.</summary>
internal static class LoadTest
{
    private const int Pixels = 3 * 32 * 32;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args is not [var url, ..]
            || !Uri.TryCreate(url, UriKind.Absolute, out Uri? server)
            || !TryRead(args, 1, 200, out int requests)
            || !TryRead(args, 2, 16, out int callers))
        {
            await Console.Error.WriteLineAsync("usage: load URL [requests, 200] [callers, 16]");
            return 2;
        }

        using var client = new HttpClient { BaseAddress = server };
        var (answered, refused, failed, next) = (0, 0, 0, 0);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(async _ =>
        {
            for (int request = Interlocked.Increment(ref next); request <= requests; request = Interlocked.Increment(ref next))
            {
                switch (await SendAsync(client, request))
                {
                    case HttpStatusCode.OK:
                        Interlocked.Increment(ref answered);
                        break;
                    case HttpStatusCode.ServiceUnavailable:
                        Interlocked.Increment(ref refused);
                        break;
                    default:
                        Interlocked.Increment(ref failed);
                        break;
                }
            }
        }));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Console.WriteLine($"{requests} requests from {callers} callers: {answered} answered, {refused} refused, {failed} failed; {requests / seconds:F0} per second");
        return failed == 0 ? 0 : 1;
    }

    private static async Task<HttpStatusCode?> SendAsync(HttpClient client, int seed)
    {
        var random = new Random(seed);
        float[] pixels = [.. Enumerable.Range(0, Pixels).Select(_ => (2 * random.NextSingle()) - 1)];
        try
        {
            using HttpResponseMessage response = await client.PostAsJsonAsync("/predict", new PredictRequest(pixels));
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static bool TryRead(string[] args, int index, int fallback, out int value)
    {
        value = fallback;
        return args.Length <= index || (int.TryParse(args[index], NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0);
    }
}

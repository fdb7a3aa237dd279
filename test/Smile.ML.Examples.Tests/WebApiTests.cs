using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Smile.ML.Analysis;
using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Examples.Tests;

/// <summary>The web example as a process, with requests over the loopback.</summary>
[TestClass]
public sealed class WebApiTests
{
    private const string Task = "plain";

    private static string Heads => Repository.PathOf("examples", "demo-pool", "heads");

    [TestMethod]
    public async Task ServesPredictsReloadsAndMeasures()
    {
        string folder = Directory.CreateTempSubdirectory("smile-webapi-").FullName;
        try
        {
            string fused = Path.Combine(folder, "fused");
            using (ModelPool pool = ModelPool.Open(Repository.PathOf("examples", "demo-pool")))
            {
                new SmileFusion().Fuse(pool, fused);
            }

            // Port 0: the system picks a free one, and the server says which.
            using var server = ExampleProcess.Start("WebApi", "--urls", "http://127.0.0.1:0", "--Smile:ModelFolder", fused, "--Smile:HeadsFolder", Heads);
            using var client = new HttpClient { BaseAddress = new Uri(await server.ReadUntilAsync("Now listening on: ")) };
            Assert.AreEqual("Healthy", await client.GetStringAsync("/health"));
            await PredictsWhatTheLibraryDoes(client, fused);
            await RefusesWhatDoesNotFit(client);
            await ServesLoadWhileItReloads(client);
            string[] metrics = (await client.GetStringAsync("/metrics")).Split('\n');
            Assert.AreEqual(303, Value(metrics, "smile_requests{model=\"\",outcome=\"success\"}"));
            Assert.AreEqual(303, Value(metrics, "smile_batch_size_sum{model=\"\"}"));
            Assert.AreEqual(0, Value(metrics, "smile_queue_length{model=\"\"}"));
            Assert.IsGreaterThanOrEqualTo(1, Value(metrics, "smile_reloads{model=\"\",outcome=\"success\"}"));

            // A reload that fails is told, and nothing else happens.
            await File.WriteAllTextAsync(Path.Combine(fused, "config.json"), "{");
            using HttpResponseMessage reload = await client.PostAsync("/reload", null);
            Assert.AreEqual(HttpStatusCode.BadRequest, reload.StatusCode);
            Assert.AreEqual("Degraded", await client.GetStringAsync("/health"));
            using HttpResponseMessage still = await client.PostAsJsonAsync("/predict", new { pixels = Image(0) });
            Assert.AreEqual(HttpStatusCode.OK, still.StatusCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestMethod]
    public async Task WrongSettingsEndTheStart()
    {
        using var server = ExampleProcess.Start("WebApi", "--urls", "http://127.0.0.1:0", "--Smile:ModelFolder", "no-such-folder", "--Smile:QueueCapacity", "0");
        AssertFailedException ended = await Assert.ThrowsExactlyAsync<AssertFailedException>(() => server.ReadUntilAsync("Now listening on: "));
        StringAssert.Contains(ended.Message, "ModelFolder is no-such-folder; expected a folder that exists");
        StringAssert.Contains(ended.Message, "QueueCapacity is 0; expected 1 or more.");
    }

    private static async Task PredictsWhatTheLibraryDoes(HttpClient client, string fused)
    {
        using var model = SmileModel.Load(fused);
        TaskHead head = TaskHead.Load(Path.Combine(Heads, $"{Task}.safetensors"));
        for (int i = 0; i < 3; i++)
        {
            float[] pixels = Image(i);
            var inputs = new Dictionary<string, HostTensor> { ["pixel_values"] = HostTensor.FromFloats([1, 3, 32, 32], pixels) };
            var logits = new float[head.ClassNames.Count];
            head.Score(model.Run(inputs)["image_embeds"].Floats, logits);

            using HttpResponseMessage response = await client.PostAsJsonAsync("/predict", new { pixels, tasks = new[] { Task } });
            using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
            Assert.AreEqual(HttpStatusCode.OK, response.StatusCode, answer.RootElement.ToString());
            JsonProperty only = answer.RootElement.EnumerateObject().Single();
            Assert.AreEqual(Task, only.Name);
            Assert.AreEqual(head.ClassNames[Array.IndexOf(logits, logits.Max())], only.Value.GetProperty("label").GetString());
            double probability = 1 / logits.Sum(logit => Math.Exp(logit - logits.Max()));
            Assert.AreEqual(probability, only.Value.GetProperty("probability").GetDouble(), 1e-6);
        }
    }

    private static async Task RefusesWhatDoesNotFit(HttpClient client)
    {
        foreach ((object request, string says) in new (object, string)[]
        {
            (new { pixels = new[] { 1f, 2f } }, "has 2 values; input pixel_values [3, 32, 32] takes 3072"),
            (new { tasks = new[] { "colours" } }, "has no pixels"),
            (new { pixels = Image(0), tasks = new[] { "colours" } }, "no head for task colours"),
        })
        {
            using HttpResponseMessage response = await client.PostAsJsonAsync("/predict", request);
            Assert.AreEqual(HttpStatusCode.BadRequest, response.StatusCode);
            StringAssert.Contains(await response.Content.ReadAsStringAsync(), says);
        }
    }

    private static async Task ServesLoadWhileItReloads(HttpClient client)
    {
        Task<string> load = ExampleProcess.RunAsync("WebApi", "load", client.BaseAddress!.ToString(), "300", "16");
        do
        {
            using HttpResponseMessage reload = await client.PostAsync("/reload", null);
            Assert.AreEqual(HttpStatusCode.NoContent, reload.StatusCode);
        }
        while (!load.IsCompleted);

        StringAssert.Contains(await load, "300 requests from 16 callers: 300 answered, 0 refused, 0 failed");
    }

    private static float[] Image(int index)
    {
        using TaskData data = TaskData.Open(Repository.PathOf("examples", "demo-pool", "data", $"{Task}_test.safetensors"));
        return data.ReadImages(index, 1).Floats!;
    }

    private static double Value(string[] metrics, string name)
        => double.Parse(metrics.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..], System.Globalization.CultureInfo.InvariantCulture);
}

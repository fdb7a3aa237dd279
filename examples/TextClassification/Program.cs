// Two text classifiers become one: makes a BERT and two fine-tunes of it, fuses them, and serves sentences of any length with AddSmile.
using Microsoft.Extensions.DependencyInjection;
using Smile.ML.Checkpoints;
using Smile.ML.DependencyInjection;
using Smile.ML.Examples.TextClassification;
using Smile.ML.Fusion;
using Smile.ML.Networks;

string folder = Directory.CreateTempSubdirectory("smile-text-").FullName;
try
{
    // 1. The models, as they would come from Hugging Face: _pretrained_ and one folder per fine-tune.
    var tokenizer = new WordTokenizer(SentenceTask.All.SelectMany(task => task.Words));
    string poolFolder = SyntheticPool.Write(Path.Combine(folder, "pool"), tokenizer, SentenceTask.All);

    // 2. One head per task, from the task's own fine-tune.
    string heads = Path.Combine(folder, "heads");
    var alone = new Dictionary<string, double>();
    foreach (SentenceTask task in SentenceTask.All)
    {
        using var model = SmileModel.Load(Path.Combine(poolFolder, task.Name));
        TaskHead head = PrototypeHead.Write(Path.Combine(heads, $"{task.Name}.safetensors"), model, tokenizer, task);
        alone[task.Name] = task.Test.Average(sentence => task.LabelOf(PrototypeHead.Predict(head, model, tokenizer, sentence)) == sentence.Label ? 100.0 : 0);
    }

    // 3. Fuse, and serve.
    string fused = Path.Combine(folder, "fused");
    using (ModelPool pool = ModelPool.Open(poolFolder))
    {
        FusionReport report = new SmileFusion(new SmileFusionOptions { ExpertRank = 16, RouterRank = 16 }).Fuse(pool, fused);
        Console.WriteLine($"Fused {string.Join(" and ", report.Experts)}: {report.Upscaled.Count} routed layers, {report.FusedParameters:N0} parameters.");
    }

    await using ServiceProvider services = new ServiceCollection()
        .AddSmile(options => (options.ModelFolder, options.HeadsFolder) = (fused, heads))
        .BuildServiceProvider();
    ISmilePredictor predictor = services.GetRequiredService<ISmilePredictor>();
    foreach (SentenceTask task in SentenceTask.All)
    {
        // All at once: sentences of one length share a run.
        SmileClassification[] answers = await Task.WhenAll(
            task.Test.Select(sentence => predictor.ClassifyAsync(tokenizer.Encode(sentence.Text), [task.Name])));
        double together = answers.Zip(task.Test).Average(pair => task.LabelOf(pair.First.Tasks[task.Name].Label) == pair.Second.Label ? 100.0 : 0);
        Console.WriteLine($"{task.Name}: own model {alone[task.Name]:F1}%, fused model {together:F1}% of {task.Test.Count} sentences");
        Console.WriteLine($"  \"{task.Test[0].Text}\" is {task.LabelOf(answers[0].Tasks[task.Name].Label)}");
    }
}
finally
{
    Directory.Delete(folder, recursive: true);
}

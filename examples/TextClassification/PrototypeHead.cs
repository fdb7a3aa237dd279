using Smile.ML.Checkpoints;
using Smile.ML.Fusion;
using Smile.ML.Networks;

namespace Smile.ML.Examples.TextClassification;

/// <summary>
/// Heads without training: a class is the mean embedding of its sentences, less the mean of all, and less what is left along that mean,
/// which tells no classes apart.
/// </summary>
internal static class PrototypeHead
{
    private const string Embedding = "pooler_output";
    private const float Scale = 20;

    /// <summary>Computes a task's head with a model, writes it, and loads it again.</summary>
    public static TaskHead Write(string path, SmileModel model, WordTokenizer tokenizer, SentenceTask task)
    {
        ILookup<string, float[]> embeddings = task.Training.ToLookup(sentence => sentence.Label, sentence => Embed(model, tokenizer, sentence));
        float[] all = Mean(embeddings.SelectMany(group => group));
        float[][] classes = [.. task.Labels.Select(label => Without(all, [.. Mean(embeddings[label]).Zip(all, (value, mean) => value - mean)]))];
        TensorFile.Write(path, new Dictionary<string, HostTensor>
        {
            ["class_embeds"] = HostTensor.FromFloats([classes.Length, all.Length], [.. classes.SelectMany(values => values)]),
            ["logit_scale"] = HostTensor.FromFloats([1], [Scale]),
        });
        return TaskHead.Load(path);
    }

    /// <summary>Gets the likeliest class of a sentence.</summary>
    public static string Predict(TaskHead head, SmileModel model, WordTokenizer tokenizer, Sentence sentence)
    {
        var logits = new float[head.ClassNames.Count];
        head.Score(Embed(model, tokenizer, sentence), logits);
        return head.ClassNames[Array.IndexOf(logits, logits.Max())];
    }

    private static float[] Embed(SmileModel model, WordTokenizer tokenizer, Sentence sentence)
        => model.Run(tokenizer.Encode(sentence.Text), [Embedding])[Embedding].Floats!;

    private static float[] Mean(IEnumerable<float[]> vectors)
    {
        float[][] all = [.. vectors];
        return [.. Enumerable.Range(0, all[0].Length).Select(i => all.Average(vector => vector[i]))];
    }

    private static float[] Without(float[] direction, float[] vector)
    {
        float along = Dot(vector, direction) / Dot(direction, direction);
        return [.. vector.Zip(direction, (value, part) => value - (along * part))];
    }

    private static float Dot(float[] x, float[] y) => x.Zip(y, (a, b) => a * b).Sum();
}

using System.Globalization;

namespace Smile.ML.Examples.TextClassification;

/// <summary>A task: sentences put together at random from the words that its classes use, and from words that all use.</summary>
internal sealed class SentenceTask
{
    private static readonly string[] Fillers = ["the", "a", "and", "with", "we", "it", "was", "there", "today", "very"];

    private readonly IReadOnlyDictionary<string, string[]> _classes;

    private SentenceTask(string name, int seed, Dictionary<string, string[]> classes)
    {
        (Name, _classes) = (name, classes);
        var random = new Random(seed);
        Training = Sentences(random, perClass: 100);
        Test = Sentences(random, perClass: 20);
    }

    /// <summary>Gets the tasks: what a sentence is about, and how its writer feels.</summary>
    public static IReadOnlyList<SentenceTask> All { get; } =
    [
        new("topic", 1, new()
        {
            ["food"] = ["bread", "soup", "cheese", "apple", "dinner"],
            ["sport"] = ["goal", "team", "match", "race", "ball"],
            ["weather"] = ["rain", "wind", "snow", "cloud", "storm"],
        }),
        new("mood", 2, new()
        {
            ["glad"] = ["great", "happy", "lovely", "smile", "thanks", "enjoy"],
            ["sad"] = ["awful", "tired", "lonely", "cry", "sorry", "regret"],
        }),
    ];

    public string Name { get; }

    public IReadOnlyList<string> Labels => [.. _classes.Keys];

    /// <summary>Gets the name of a class of the task's head, whose file numbers them.</summary>
    public string LabelOf(string number) => Labels[int.Parse(number, CultureInfo.InvariantCulture)];

    /// <summary>Gets the words that tell the classes apart, and the fillers.</summary>
    public IEnumerable<string> Words => [.. OwnWords, .. Fillers];

    /// <summary>Gets the words that only this task's classes use.</summary>
    public IEnumerable<string> OwnWords => _classes.Values.SelectMany(words => words);

    public IReadOnlyList<Sentence> Training { get; }

    public IReadOnlyList<Sentence> Test { get; }

    private List<Sentence> Sentences(Random random, int perClass)
        => [.. _classes.SelectMany(@class => Enumerable.Range(0, perClass).Select(_ => new Sentence(Text(random, @class.Value), @class.Key)))];

    private static string Text(Random random, string[] words)
    {
        string[] text = [.. random.GetItems(words, random.Next(2, 4)), .. random.GetItems(Fillers, random.Next(2, 6))];
        random.Shuffle(text);
        return string.Join(' ', text);
    }
}

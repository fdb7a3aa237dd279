using Smile.ML.Checkpoints;

namespace Smile.ML.Examples.TextClassification;

/// <summary>One token per word, behind a token [CLS]; a real BERT brings its own vocabulary (Microsoft.ML.Tokenizers reads it).</summary>
internal sealed class WordTokenizer(IEnumerable<string> words)
{
    private const int Unknown = 1;

    private readonly Dictionary<string, int> _ids = words.Distinct().Select((word, i) => (word, i)).ToDictionary(pair => pair.word, pair => pair.i + 2);

    /// <summary>Gets the number of ids: [CLS] is 0, an unknown word 1.</summary>
    public int VocabularySize => _ids.Count + 2;

    public int IdOf(string word) => _ids.GetValueOrDefault(word, Unknown);

    /// <summary>Makes BERT's inputs for one sentence.</summary>
    public Dictionary<string, HostTensor> Encode(string text)
    {
        long[] ids = [0, .. text.Split(' ').Select(word => (long)IdOf(word))];
        return new Dictionary<string, HostTensor> { ["input_ids"] = HostTensor.FromIntegers([1, ids.Length], ids) };
    }
}

using Smile.ML.Checkpoints;

namespace Smile.ML.Tool;

/// <summary>Checks the files that a command will write, before it computes anything for them.</summary>
internal static class OutputFiles
{
    /// <summary>Requires that outputs differ from each other and from what is read, and can be written.</summary>
    /// <param name="outputs">The options and their files; null for one that was not given.</param>
    /// <param name="inputs">The files that are read; see <see cref="OfModel"/> and <see cref="OfFolder"/>.</param>
    /// <exception cref="UsageException">Two outputs are one file, or one is read.</exception>
    /// <exception cref="SmileException">An output can't be written.</exception>
    public static void Require(IEnumerable<(string Option, string? Path)> outputs, IEnumerable<string> inputs)
    {
        var comparer = StringComparer.FromComparison(LinkResolver.Comparison);
        HashSet<string> read = new(inputs.Select(LinkResolver.Resolve), comparer);
        var written = new Dictionary<string, string>(comparer);
        foreach ((string option, string? path) in outputs)
        {
            if (path is null)
            {
                continue;
            }

            string place = LinkResolver.Resolve(path);
            if (read.Contains(place))
            {
                throw new UsageException($"{option} is {path}, a file that is read; expected another file to write to.");
            }

            if (!written.TryAdd(place, option))
            {
                throw new UsageException($"{written[place]} and {option} are both {path}; expected two files.");
            }

            StagedOutput.RequireWritableFile(path);
        }
    }

    /// <summary>Gets the files that a model or adapter is read from, whether they are there or not.</summary>
    public static IEnumerable<string> OfModel(string folder)
    {
        string index = Path.Combine(folder, HuggingFaceFolder.IndexFileName);
        string[] names = [ModelConfig.FileName, HuggingFaceFolder.SingleFileName, HuggingFaceFolder.IndexFileName, .. PeftAdapter.FileNames];
        return names.Select(name => Path.Combine(folder, name)).Concat(File.Exists(index) ? OfFolder(folder) : []);
    }

    /// <summary>Gets the tensor files of a folder of heads, data or shards.</summary>
    public static IEnumerable<string> OfFolder(string folder) => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.safetensors") : [];
}

using System.Text;

namespace Smile.ML.Checkpoints;

/// <summary>Writes text files that are there whole or not at all, as everything else that Smile.ML writes.</summary>
public static class AtomicFile
{
    /// <summary>Writes a text as UTF-8, replacing a file that is there. The file gets its name only when it is complete.</summary>
    /// <param name="path">The file's path. Missing parent folders are created.</param>
    /// <param name="text">The text.</param>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public static void WriteAllText(string path, string text)
    {
        using var output = StagedOutput.Create(path);
        RegularFile.WriteNew(output.TemporaryPath, Encoding.UTF8.GetBytes(text));
        output.PublishFile();
    }
}

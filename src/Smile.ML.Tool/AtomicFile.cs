using System.Text;
using Smile.ML.Checkpoints;

namespace Smile.ML.Tool;

/// <summary>Writes files that are there whole or not at all.</summary>
internal static class AtomicFile
{
    /// <summary>Writes a text, replacing a file that is there.</summary>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public static void WriteAllText(string path, string text)
    {
        using var output = StagedOutput.Create(path);
        RegularFile.WriteNew(output.TemporaryPath, Encoding.UTF8.GetBytes(text));
        output.PublishFile();
    }
}

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>The figures as they come: on the console and, line by line, in a Markdown file.</summary>
/// <param name="path">The file, appended to; null for none.</param>
internal sealed class Figures(string? path)
{
    public void Write(string line)
    {
        Console.WriteLine(line);
        if (path is not null)
        {
            File.AppendAllText(path, line + Environment.NewLine);
        }
    }
}

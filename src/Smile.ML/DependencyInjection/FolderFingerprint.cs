using System.Globalization;
using System.Text;

namespace Smile.ML.DependencyInjection;

/// <summary>Tells whether files changed: the folders' and files' names, links followed, with lengths and times.</summary>
internal static class FolderFingerprint
{
    /// <summary>Takes the fingerprint of some folders; one that can't be looked at has one as well.</summary>
    public static string Of(params IEnumerable<string> folders)
    {
        var text = new StringBuilder();
        foreach (string folder in folders)
        {
            try
            {
                var directory = new DirectoryInfo(folder);
                text.Append(directory.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? directory.FullName).AppendLine();
                foreach (FileInfo file in directory.EnumerateFiles().OrderBy(file => file.Name, StringComparer.Ordinal))
                {
                    var target = (FileInfo?)file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
                    text.AppendLine(CultureInfo.InvariantCulture, $"{file.Name} {target.FullName} {target.Length} {target.LastWriteTimeUtc.Ticks}");
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A folder that is being replaced; loading it says what is wrong, if it stays like that.
                text.AppendLine(e.GetType().Name);
            }
        }

        return text.ToString();
    }
}

namespace Smile.ML.Analysis;

/// <summary>Creates the formatters of a report for .NET Interactive, which calls all this by name.</summary>
internal sealed class ReportFormatterSource
{
#pragma warning disable CA1822 // Called by name on an instance.
    public IEnumerable<object> CreateTypeFormatters() => [new ReportFormatter()];
#pragma warning restore CA1822

    private sealed class ReportFormatter
    {
#pragma warning disable CA1822
        public string MimeType => "text/html";

        public bool Format(object instance, TextWriter writer)
#pragma warning restore CA1822
        {
            if (instance is not SmileReport report)
            {
                return false;
            }

            // In a frame of its own, so that the page's style and the notebook's leave each other alone.
            string page = System.Net.WebUtility.HtmlEncode(report.ToHtml());
            writer.Write($"<iframe title=\"Smile.ML report\" style=\"width:100%;height:80vh;border:0\" srcdoc=\"{page}\"></iframe>");
            return true;
        }
    }
}

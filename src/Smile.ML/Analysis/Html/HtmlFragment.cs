using System.Globalization;
using System.Net;

namespace Smile.ML.Analysis.Html;

/// <summary>A piece of markup. Text that is put into one is escaped, other fragments are not, and numbers are written the same everywhere.</summary>
internal sealed class HtmlFragment
{
    private readonly string _markup;

    private HtmlFragment(string markup) => _markup = markup;

    /// <summary>Gets the fragment of nothing.</summary>
    public static HtmlFragment Empty { get; } = new("");

    /// <summary>Makes a fragment of markup with values in it.</summary>
    public static HtmlFragment Of(FormattableString markup) => new(markup.ToString(Escaping.Instance));

    /// <summary>Makes a fragment of markup as it is.</summary>
    public static HtmlFragment Raw(string markup) => new(markup);

    /// <summary>Puts fragments one after the other.</summary>
    public static HtmlFragment Join(IEnumerable<HtmlFragment> fragments) => new(string.Concat(fragments));

    /// <summary>Gets the markup.</summary>
    public override string ToString() => _markup;

    private sealed class Escaping : IFormatProvider, ICustomFormatter
    {
        public static readonly Escaping Instance = new();

        public object? GetFormat(Type? formatType) => formatType == typeof(ICustomFormatter) ? this : null;

        public string Format(string? format, object? arg, IFormatProvider? formatProvider) => arg switch
        {
            HtmlFragment fragment => fragment._markup,
            IFormattable number => number.ToString(format, CultureInfo.InvariantCulture),
            _ => WebUtility.HtmlEncode(arg?.ToString()) ?? "",
        };
    }
}

using System.Globalization;

namespace Smile.ML.Fusion.Merging;

/// <summary>A parameter of a merge method, as text: what <c>name=value</c> stands for.</summary>
public sealed class MergeParameter
{
    private readonly Func<string, MergeMethod?> _parse;

    private MergeParameter(string name, string description, string expected, string value, bool isValid, Func<string, MergeMethod?> parse)
    {
        Name = name;
        Description = description;
        Expected = expected;
        Value = value;
        IsValid = isValid;
        _parse = parse;
    }

    /// <summary>Gets the parameter's name.</summary>
    public string Name { get; }

    /// <summary>Gets what it does.</summary>
    public string Description { get; }

    /// <summary>Gets which values it takes, e.g. <c>a number in (0, 1]</c>.</summary>
    public string Expected { get; }

    /// <summary>Gets the value that it has in the method it was read from.</summary>
    public string Value { get; }

    /// <summary>Gets whether that value is one of those expected.</summary>
    internal bool IsValid { get; }

    /// <summary>Gets the method with another value of this parameter; null where the text is no value at all.</summary>
    internal MergeMethod? Parse(string text) => _parse(text);

    /// <summary>A number.</summary>
    internal static MergeParameter Number(string name, string description, Interval range, double value, Func<double, MergeMethod> with)
        => new(name, description, range.ToString(), Text(value), range.Contains(value), text => ParseNumber(text) is { } number ? with(number) : null);

    /// <summary>A whole number.</summary>
    internal static MergeParameter Integer(string name, string description, int minimum, int value, Func<int, MergeMethod> with)
        => new(
            name,
            description,
            minimum == int.MinValue ? "a whole number" : string.Create(CultureInfo.InvariantCulture, $"a whole number, {minimum} or more"),
            value.ToString(CultureInfo.InvariantCulture),
            value >= minimum,
            text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) ? with(number) : null);

    /// <summary>A list of non-negative numbers, not all 0.</summary>
    internal static MergeParameter Weights(
        string name, string description, IReadOnlyList<double> value, Func<IReadOnlyList<double>, MergeMethod> with)
        => new(
            name,
            description,
            "numbers of 0 or more, not all 0, separated by commas",
            string.Join(',', value.Select(Text)),
            value.All(Interval.NonNegative.Contains) && (value.Count == 0 || value.Any(weight => weight > 0)),
            text => text.Split(',').Select(ParseNumber).ToArray() is var numbers && numbers.All(number => number is not null)
                ? with([.. numbers.Select(number => number!.Value)])
                : null);

    /// <summary>One of an enumeration's values, written in lower case with hyphens between words.</summary>
    internal static MergeParameter Choice<T>(string name, string description, T value, Func<T, MergeMethod> with)
        where T : struct, Enum
        => new(
            name,
            description,
            string.Join('|', Enum.GetValues<T>().Select(Text)),
            Text(value),
            Enum.IsDefined(value),
            text => Enum.GetValues<T>().Where(choice => Text(choice) == text).Select(choice => with(choice)).FirstOrDefault());

    /// <summary>Another method, whose parameters follow as <c>name.parameter</c>.</summary>
    internal static IEnumerable<MergeParameter> Method(string name, string description, MergeMethod value, Func<MergeMethod, MergeMethod> with)
    {
        yield return new MergeParameter(
            name, description, "a merge method", value.Name, isValid: true, text => MergeMethods.Find(text) is { } method ? with(method) : null);
        foreach (MergeParameter inner in value.Parameters)
        {
            yield return new MergeParameter(
                $"{name}.{inner.Name}",
                inner.Description,
                inner.Expected,
                inner.Value,
                inner.IsValid,
                text => inner.Parse(text) is { } method ? with(method) : null);
        }
    }

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Text<T>(T choice)
        where T : struct, Enum
        => string.Concat(choice.ToString().Select((letter, i) => char.IsUpper(letter) && i > 0 ? $"-{letter}" : $"{letter}")).ToLowerInvariant();

    private static double? ParseNumber(string text)
        => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;
}

namespace Smile.ML.Analysis;

/// <summary>
/// Tells .NET Interactive (Polyglot Notebooks) how to show a type. It looks for an attribute of this name and these members, wherever
/// it is defined, so that libraries need not depend on it.
/// </summary>
/// <param name="formatterSourceType">A type with <c>CreateTypeFormatters()</c>.</param>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    public Type FormatterSourceType { get; } = formatterSourceType;

    public string[] PreferredMimeTypes { get; set; } = [];
}

namespace Microsoft.DotNet.Interactive.Formatting;

/// <summary>
/// Tells .NET Interactive how to show a type. It finds the attribute by its name and properties, in whatever assembly it is declared, so
/// that none of its own needs to be referenced.
/// </summary>
/// <param name="formatterSourceType">A type with a parameterless constructor and a method <c>CreateTypeFormatters</c>.</param>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class TypeFormatterSourceAttribute(Type formatterSourceType) : Attribute
{
    /// <summary>Gets the type that makes the formatters.</summary>
    public Type FormatterSourceType { get; } = formatterSourceType;

    /// <summary>Gets or sets the MIME types to show, best first.</summary>
    public string[] PreferredMimeTypes { get; set; } = ["text/html"];
}

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>A block of code, of commands, or of what they print.</summary>
/// <param name="Language">What it is; empty for an indented block.</param>
/// <param name="Comment">What the comment in the line before it says; empty where there is none.</param>
/// <param name="Line">Its first line in the page, from 1.</param>
/// <param name="Text">Its lines.</param>
internal sealed record MarkdownBlock(string Language, string Comment, int Line, string Text)
{
    private const string FileComment = "file ";
    private const string LineComment = "line in ";

    /// <summary>Gets the file of the library that the block is; null where it is none.</summary>
    public string? File => Comment.StartsWith(FileComment, StringComparison.Ordinal) ? Comment[FileComment.Length..] : null;

    /// <summary>Gets the file that the block is a line of, and a text in the line that it comes after; null where it is none.</summary>
    public (string File, string After)? LineOf
        => Comment.StartsWith(LineComment, StringComparison.Ordinal) && Comment[LineComment.Length..].Split(" after ", 2) is [var file, var after]
            ? (file, after)
            : null;

    /// <summary>Gets whether the block is part of the page's program.</summary>
    public bool IsProgram => Language == "csharp" && File is null && LineOf is null;
}

using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>Which folders of the library refer to which, by what the compiler takes each name for.</summary>
internal sealed class LibraryFolders
{
    /// <summary>The folders of the library, top to bottom: code refers to its own folder and to those below.</summary>
    public static readonly IReadOnlyList<string> TopDown =
        ["Pipeline", "DependencyInjection", "Analysis", "Fusion", "Routing", "Networks", "Checkpoints", "LinearAlgebra", "Compute", "Notebooks"];

    private readonly SortedDictionary<(string From, string To), string> _references = [];
    private readonly SortedDictionary<string, string> _knowMLNet = new(StringComparer.Ordinal);

    private LibraryFolders()
    {
    }

    /// <summary>Gets the pairs of folders of which the first refers to the second, with a place where it does.</summary>
    public IReadOnlyDictionary<(string From, string To), string> References => _references;

    /// <summary>Gets the folders that refer to ML.NET, with a place where they do.</summary>
    public IReadOnlyDictionary<string, string> KnowMLNet => _knowMLNet;

    /// <summary>Reads the references of the library's files, or of one of them.</summary>
    public static LibraryFolders Read(CSharpCompilation library, string? file = null)
    {
        var folders = new LibraryFolders();
        foreach (SyntaxTree tree in library.SyntaxTrees.Where(tree => file is null ? tree.FilePath.Length > 0 : tree.FilePath == file))
        {
            SemanticModel model = library.GetSemanticModel(tree);
            foreach (SyntaxNode node in tree.GetRoot().DescendantNodes())
            {
                if (node is SimpleNameSyntax or BaseObjectCreationExpressionSyntax or ConstructorInitializerSyntax or AttributeSyntax)
                {
                    SymbolInfo info = model.GetSymbolInfo(node);
                    foreach (ISymbol symbol in info.Symbol is { } known ? [known] : info.CandidateSymbols)
                    {
                        folders.Add(tree, node, symbol);
                    }
                }
            }
        }

        return folders;
    }

    /// <summary>Gets the references from a folder to one above it, with the places.</summary>
    public IEnumerable<string> Upward()
        => _references.Where(reference => Height(reference.Key.To) > Height(reference.Key.From)).Select(reference => reference.Value);

    /// <summary>Draws the map that <c>docs/architecture.md</c> holds.</summary>
    public string Draw()
        => string.Join('\n', [
            "| folder | refers to |",
            "|---|---|",
            .. TopDown.Select(folder =>
                $"| `{folder}` | {string.Join(", ", TopDown.Where(other => _references.ContainsKey((folder, other))).Select(other => $"`{other}`").Concat(_knowMLNet.ContainsKey(folder) ? ["ML.NET"] : []).DefaultIfEmpty("nothing"))} |")]);

    private static int Height(string folder)
    {
        int place = TopDown.ToList().IndexOf(folder);
        return place >= 0 ? -place : throw new AssertFailedException($"{Library.Folder}/{folder} is not in the list of folders.");
    }

    /// <summary>The folder of a source file below the library's; null for a file that lies beside the folders.</summary>
    private static string? FolderOf(string path)
        => path[(Library.Folder.Length + 1)..].Split('/') is [var folder, _, ..] ? folder : null;

    private void Add(SyntaxTree tree, SyntaxNode node, ISymbol symbol)
    {
        if (FolderOf(tree.FilePath) is not { } from || symbol is INamespaceSymbol)
        {
            return;
        }

        if (symbol.ContainingAssembly?.Name.StartsWith("Microsoft.ML", StringComparison.Ordinal) == true && !_knowMLNet.ContainsKey(from))
        {
            _knowMLNet.Add(from, Place());
        }

        foreach (string file in symbol.DeclaringSyntaxReferences.Select(declaration => declaration.SyntaxTree.FilePath))
        {
            if (file.Length > 0 && FolderOf(file) is { } to && to != from && !_references.ContainsKey((from, to)))
            {
                _references.Add((from, to), $"{Place()} of {file}");
            }
        }

        string Place() => $"{tree.FilePath}({tree.GetLineSpan(node.Span).StartLinePosition.Line + 1}): {symbol.ToDisplayString()}";
    }
}

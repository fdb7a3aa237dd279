using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>The library, compiled from its source by the test: to look at what its parts know of each other, and to add to it.</summary>
internal static class Library
{
    /// <summary>What the SDK adds to every file (ImplicitUsings).</summary>
    public const string GlobalUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    /// <summary>The name of an assembly that the library lets see its internals.</summary>
    public const string Friend = "Smile.ML.Tests";

    private static readonly CSharpParseOptions Parsing = new(LanguageVersion.Preview);

    /// <summary>Gets the folder of the library's source, from the repository's root.</summary>
    public static string Folder => "src/Smile.ML";

    /// <summary>Gets every assembly of the test's process.</summary>
    public static IReadOnlyList<MetadataReference> References { get; } =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))];

    /// <summary>Gets the references without the compiled library and what was built on it.</summary>
    public static IReadOnlyList<MetadataReference> ReferencesBelow { get; } =
        [.. References.Where(reference => !IsOurs(Path.GetFileNameWithoutExtension(reference.Display!)))];

    /// <summary>Compiles the library.</summary>
    /// <param name="change">Changes the sources, by their paths from the repository's root; or null.</param>
    public static CSharpCompilation Compile(Action<Dictionary<string, string>>? change = null)
    {
        // The declaration for ML.NET's loader is left out: it takes an alias that only the project file can give.
        Dictionary<string, string> files = Directory.EnumerateFiles(Repository.PathOf(Folder), "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'))
            .Where(name => !name.StartsWith($"{Folder}/bin/", StringComparison.Ordinal) && !name.StartsWith($"{Folder}/obj/", StringComparison.Ordinal)
                && !name.EndsWith("/LoaderDeclaration.cs", StringComparison.Ordinal))
            .ToDictionary(name => name, name => File.ReadAllText(Repository.PathOf(name)));
        change?.Invoke(files);
        SyntaxTree[] trees = [.. files.Select(file => CSharpSyntaxTree.ParseText(file.Value, Parsing, file.Key))];
        string friends = $"[assembly: System.Runtime.CompilerServices.InternalsVisibleTo(\"{Friend}\")]\n";
        return CSharpCompilation.Create(
            "Smile.ML",
            [.. trees, .. trees.Select(ImplementPartialMethods).OfType<SyntaxTree>(), CSharpSyntaxTree.ParseText(GlobalUsings + friends, Parsing)],
            ReferencesBelow,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true));
    }

    private static bool IsOurs(string assembly)
        => assembly.StartsWith("Smile", StringComparison.OrdinalIgnoreCase) || assembly is "QuickStart" or "TextClassification" or "WebApi" or "TinyPools";

    /// <summary>The log's methods are written by a source generator; here they do nothing.</summary>
    private static SyntaxTree? ImplementPartialMethods(SyntaxTree tree)
    {
        CompilationUnitSyntax root = tree.GetCompilationUnitRoot();
        MethodDeclarationSyntax[] methods = [.. root.DescendantNodes().OfType<MethodDeclarationSyntax>()
            .Where(method => method.Modifiers.Any(SyntaxKind.PartialKeyword) && method.Body is null && method.ExpressionBody is null)];
        if (methods.Length == 0)
        {
            return null;
        }

        var type = (TypeDeclarationSyntax)methods[0].Parent!;
        IEnumerable<MemberDeclarationSyntax> bodies = methods.Select(method => method.WithAttributeLists([]).WithSemicolonToken(default).WithBody(SyntaxFactory.Block()));
        var rest = (TypeDeclarationSyntax)type.WithMembers([.. bodies]);
        return CSharpSyntaxTree.ParseText(root.ReplaceNode(type, rest).ToFullString(), Parsing, tree.FilePath);
    }
}

using System.Reflection;
using System.Runtime.Loader;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Emit;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>
/// The C# blocks of a page, which make one program: the using directives of all of them, then the statements, then the types. A block
/// after the comment <c>new program</c> begins another one.
/// </summary>
internal sealed class PageProgram
{
    private static readonly CSharpParseOptions Parsing = new(LanguageVersion.Preview);

    private readonly CSharpCompilation _compilation;

    private PageProgram(CSharpCompilation compilation) => _compilation = compilation;

    /// <summary>Gets the programs of a page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="references">What they are compiled against.</param>
    /// <param name="assembly">The name of the assembly to make.</param>
    public static IEnumerable<PageProgram> Of(MarkdownPage page, IEnumerable<MetadataReference> references, string assembly = "Page")
    {
        var programs = new List<List<MarkdownBlock>>();
        foreach (MarkdownBlock block in page.Blocks.Where(block => block.IsProgram))
        {
            if (programs.Count == 0 || block.Comment == "new program")
            {
                programs.Add([]);
            }

            programs[^1].Add(block);
        }

        return programs.Select(blocks => new PageProgram(CSharpCompilation.Create(
            assembly,
            [CSharpSyntaxTree.ParseText(Join(page, blocks), Parsing), CSharpSyntaxTree.ParseText(Library.GlobalUsings, Parsing)],
            references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true))));
    }

    /// <summary>Compiles the program; an error or a warning fails the test, with the page's line.</summary>
    public byte[] Compile()
    {
        using var image = new MemoryStream();
        EmitResult result = _compilation.Emit(image);
        Diagnostic[] found = [.. result.Diagnostics.Where(diagnostic => diagnostic.Severity >= DiagnosticSeverity.Warning && !IsHarmless(diagnostic))];
        Assert.IsEmpty(found, string.Join<Diagnostic>('\n', found));
        return image.ToArray();
    }

    /// <summary>Runs the program to its end, in a load context, and returns what it printed.</summary>
    public async Task<string> RunAsync(AssemblyLoadContext context)
    {
        Assembly assembly = context.LoadFromStream(new MemoryStream(Compile()));
        TextWriter before = Console.Out;
        using var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            object? result = assembly.EntryPoint!.Invoke(null, assembly.EntryPoint.GetParameters().Length == 0 ? [] : [Array.Empty<string>()]);
            if (result is Task task)
            {
                await task;
            }
        }
        finally
        {
            Console.SetOut(before);
        }

        return output.ToString();
    }

    /// <summary>Locals that a page shows and never uses, assembly versions that differ between ML.NET's own assemblies.</summary>
    private static bool IsHarmless(Diagnostic diagnostic) => diagnostic.Id is "CS0219" or "CS1701" or "CS1702" or "CS8019" or "CS0649";

    private static string Join(MarkdownPage page, IReadOnlyList<MarkdownBlock> blocks)
    {
        var usings = new StringBuilder();
        var statements = new StringBuilder();
        var types = new StringBuilder();
        var seen = new HashSet<string>();
        foreach (MarkdownBlock block in blocks)
        {
            CompilationUnitSyntax unit = CSharpSyntaxTree.ParseText(block.Text, Parsing).GetCompilationUnitRoot();
            foreach (UsingDirectiveSyntax directive in unit.Usings.Where(directive => seen.Add(directive.ToString())))
            {
                Append(usings, directive);
            }

            foreach (MemberDeclarationSyntax member in unit.Members)
            {
                Append(member is GlobalStatementSyntax ? statements : types, member);
            }

            // What belongs to no statement, such as half a block, must be seen by the compiler as well.
            if (unit.ContainsDiagnostics)
            {
                Append(statements, unit);
            }

            void Append(StringBuilder text, CSharpSyntaxNode node)
            {
                int line = block.Line + node.SyntaxTree.GetLineSpan(node.FullSpan).StartLinePosition.Line;
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\n#line {line} \"{page.Name}\"\n{node.ToFullString()}\n");
            }
        }

        return $"{usings}{statements}{types}";
    }
}

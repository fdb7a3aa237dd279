using System.Reflection;
using System.Runtime.Loader;
using System.Text.Json;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;

namespace Smile.ML.Examples.Tests;

/// <summary>
/// Runs a notebook's C# cells as .NET Interactive does: each is a script that goes on from those before it, and a last expression is its
/// value. Directives for the notebook itself, e.g. which package to load, are left out: the assemblies are those of the tests.
/// </summary>
internal sealed class NotebookRunner : AssemblyLoadContext
{
    /// <summary>What .NET Interactive's C# cells use without saying so.</summary>
    private static readonly string[] Usings =
        ["System", "System.Collections", "System.Collections.Generic", "System.Linq", "System.Text", "System.Threading.Tasks"];

    private static readonly PortableExecutableReference[] References =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path))];

    private readonly Dictionary<string, Assembly> _cells = [];
    private readonly List<object?> _states = [null];
    private CSharpCompilation? _previous;

    /// <summary>Reads the source of a notebook's code cells.</summary>
    public static IReadOnlyList<string> ReadCells(string notebook)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(notebook));
        return [.. json.RootElement.GetProperty("cells").EnumerateArray()
            .Where(cell => cell.GetProperty("cell_type").GetString() == "code")
            .Select(cell => string.Concat(cell.GetProperty("source").EnumerateArray().Select(line => line.GetString())))];
    }

    /// <summary>Runs the next cell and returns its value; null where it has none.</summary>
    public async Task<object?> RunAsync(string cell)
    {
        string name = $"Cell{_states.Count}";
        string code = string.Join('\n', cell.Split('\n').Select(line => line.StartsWith("#r", StringComparison.Ordinal) || line.StartsWith("#i", StringComparison.Ordinal) ? "" : line));
        var compilation = CSharpCompilation.CreateScriptCompilation(
            name,
            CSharpSyntaxTree.ParseText(code, new CSharpParseOptions(LanguageVersion.Latest, kind: SourceCodeKind.Script)),
            References,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, usings: Usings),
            _previous,
            typeof(object));
        using var image = new MemoryStream();
        EmitResult result = compilation.Emit(image);
        Diagnostic[] errors = [.. result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        Assert.IsEmpty(errors, $"{cell}\n{string.Join<Diagnostic>('\n', errors)}");
        _previous = compilation;
        if (!result.Success)
        {
            // Nothing to emit: a cell of directives and usings, which those after it see.
            return null;
        }

        image.Position = 0;
        _cells[name] = LoadFromStream(image);

        // The compiler's own protocol: the entry point takes the states of all cells, and adds the cell's.
        IMethodSymbol entry = compilation.GetEntryPoint(CancellationToken.None)!;
        MethodInfo method = _cells[name].GetType(entry.ContainingType.MetadataName, throwOnError: true)!
            .GetMethod(entry.MetadataName, BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)!;
        object?[] states = [.. _states, null];
        object? value = await method.CreateDelegate<Func<object?[], Task<object?>>>()(states);
        _states.Add(states[^1]);
        return value;
    }

    protected override Assembly? Load(AssemblyName assemblyName) => _cells.GetValueOrDefault(assemblyName.Name!);
}

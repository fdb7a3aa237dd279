using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.Loader;
using System.Text.Json;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;
using Smile.ML.Tool;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>What the documentation shows compiles, parses, leads somewhere, and, on the pages that say so, runs.</summary>
[TestClass]
public sealed class DocsTests
{
    private static readonly Lazy<byte[]> Extended = new(Extend);

    private const string Tokenizers = "Microsoft.ML.Tokenizers";

    private static readonly string[] Languages = ["", "csharp", "json", "sh", "text", "xml"];
    private static readonly string[] BuildCommands = ["demo", "test", "bench", "pack"];

    private static IEnumerable<object[]> Pages => MarkdownPage.All().Select(name => new object[] { name });

    private static IEnumerable<object[]> PagesWithPrograms => Pages.Where(page => MarkdownPage.Read((string)page[0]).Blocks.Any(block => block.Language == "csharp"));

    private static IEnumerable<object[]> PagesToRun => Pages.Where(page => MarkdownPage.Read((string)page[0]).IsRun);

    [TestMethod]
    public void TheCommandReferenceIsCurrent()
        => Assert.AreEqual(
            ReferenceCommand.Describe(SmileCommand.Create()),
            File.ReadAllText(Repository.PathOf("docs", "commands.md")).ReplaceLineEndings("\n"),
            "Write it again: dotnet run -c Release --project src/Smile.ML.Tool -- reference > docs/commands.md");

    [TestMethod]
    [DynamicData(nameof(PagesWithPrograms))]
    public void ProgramsCompile(string name)
    {
        MarkdownPage page = MarkdownPage.Read(name);
        if (page.Blocks.Any(block => block.Text.Contains($"using {Tokenizers};", StringComparison.Ordinal))
            && !Library.References.Any(reference => Path.GetFileNameWithoutExtension(reference.Display) == Tokenizers))
        {
            Assert.Inconclusive($"{name} needs {Tokenizers}, which comes with MLNetSource=package.");
        }

        if (!page.Blocks.Any(block => block.File is not null))
        {
            foreach (PageProgram program in PageProgram.Of(page, Library.References))
            {
                program.Compile();
            }
        }

        // Programs of pages that add to the library are compiled where they are run.
        Assert.IsTrue(page.IsRun || !page.Blocks.Any(block => block.File is not null), $"{name} adds to the library and is not run");
    }

    [TestMethod]
    [DynamicData(nameof(Pages))]
    public void CommandsParse(string name)
    {
        MarkdownPage page = MarkdownPage.Read(name);
        var wrong = new List<string>();
        foreach (MarkdownBlock block in page.Blocks)
        {
            if (!Languages.Contains(block.Language))
            {
                wrong.Add($"{name}({block.Line}): a block of {block.Language}; expected one of {string.Join(", ", Languages)}");
            }

            if (block.Language == "json")
            {
                using JsonDocument _ = JsonDocument.Parse(block.Text, new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip });
            }

            if (block.Language is "" or "sh")
            {
                wrong.AddRange(CommandLine.Read(block.Text).SelectMany(words => Check(words, whole: true)).Select(error => $"{name}({block.Line}): {error}"));
            }
        }

        // Within sentences, commands may be cut short.
        wrong.AddRange(page.InlineCode.SelectMany(CommandLine.Read).SelectMany(words => Check(words, whole: false)).Select(error => $"{name}: {error}"));
        Assert.IsEmpty(wrong, string.Join('\n', wrong));
    }

    [TestMethod]
    [DynamicData(nameof(Pages))]
    public void LinksLead(string name)
    {
        MarkdownPage page = MarkdownPage.Read(name);
        string folder = Path.GetDirectoryName(Repository.PathOf(name))!;
        foreach (string link in page.Links.Where(link => !link.Contains("://", StringComparison.Ordinal)))
        {
            string[] parts = link.Split('#', 2);
            string target = parts[0].Length == 0 ? Repository.PathOf(name) : Path.GetFullPath(Path.Combine(folder, parts[0]));
            Assert.IsTrue(Path.Exists(target), $"{name}: {link} leads nowhere");
            if (parts.Length == 2)
            {
                MarkdownPage other = MarkdownPage.Read(Path.GetRelativePath(Repository.Root, target));
                CollectionAssert.Contains(other.Headings.Select(MarkdownPage.Anchor).ToArray(), parts[1], $"{name}: {link}");
            }
        }
    }

    [TestMethod]
    public void EveryPageIsInTheIndex()
    {
        string[] links = [.. MarkdownPage.Read("docs/README.md").Links.Select(link => link.Split('#')[0])];
        foreach (string name in MarkdownPage.All().Where(name => name.StartsWith("docs/", StringComparison.Ordinal) && name != "docs/README.md"))
        {
            CollectionAssert.Contains(links, name["docs/".Length..]);
        }
    }

    [TestMethod]
    [DynamicData(nameof(PagesToRun))]
    public async Task PagesRun(string name)
    {
        MarkdownPage page = MarkdownPage.Read(name);
        string before = Environment.CurrentDirectory;
        string folder = Directory.CreateTempSubdirectory("smile-docs-").FullName;
        try
        {
            // Pages speak of the repository's files from its root; what they write stays outside of it.
            Directory.CreateSymbolicLink(Path.Combine(folder, "examples"), Repository.PathOf("examples"));
            Directory.CreateSymbolicLink(Path.Combine(folder, "docs"), Directory.CreateDirectory(Path.Combine(folder, "pages")).FullName);
            Environment.CurrentDirectory = folder;
            string printed = "";
            foreach (MarkdownBlock block in page.Blocks)
            {
                if (page.RunsCommands && (block.Language is "" or "sh"))
                {
                    printed = "";
                    foreach (string[] words in CommandLine.Read(block.Text))
                    {
                        printed += await RunAsync(words, $"{name}({block.Line})");
                    }
                }
                else if (block == page.Blocks.LastOrDefault(other => other.IsProgram))
                {
                    printed = await RunProgramsAsync(page);
                }
                else if (block.Language == "text")
                {
                    foreach (string line in block.Text.Split('\n'))
                    {
                        StringAssert.Contains(printed, line, $"{name}({block.Line}) shows what was not printed");
                    }
                }
            }

            foreach (string file in Directory.EnumerateFiles(Path.Combine(folder, "pages"), "*", SearchOption.AllDirectories))
            {
                string committed = Repository.PathOf("docs", Path.GetRelativePath(Path.Combine(folder, "pages"), file));
                if (Environment.GetEnvironmentVariable("SMILE_WRITE_DOCS") is not null)
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(committed)!);
                    File.Copy(file, committed, overwrite: true);
                }

                Assert.IsTrue(File.Exists(committed), $"{committed}: {name} makes it, and it is not there");
                Assert.AreEqual(await File.ReadAllTextAsync(file), (await File.ReadAllTextAsync(committed)).ReplaceLineEndings("\n"), $"{committed} is not what {name} makes");
            }
        }
        finally
        {
            Environment.CurrentDirectory = before;
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<string> RunProgramsAsync(MarkdownPage page)
    {
        IEnumerable<MetadataReference> references = Library.References;
        byte[]? library = null;
        if (page.Blocks.Any(block => block.File is not null))
        {
            library = Extended.Value;
            references = [.. Library.ReferencesBelow, MetadataReference.CreateFromImage(library)];
        }

        string printed = "";
        foreach (PageProgram program in PageProgram.Of(page, references, library is null ? "Page" : Library.Friend))
        {
            printed += await program.RunAsync(new PageContext(library));
        }

        return printed;
    }

    /// <summary>Compiles the library with all pages' files and lines put where the pages say.</summary>
    private static byte[] Extend()
    {
        CSharpCompilation library = Library.Compile(files =>
        {
            foreach (MarkdownPage page in MarkdownPage.All().Select(MarkdownPage.Read))
            {
                foreach (MarkdownBlock block in page.Blocks)
                {
                    if (block.File is { } file)
                    {
                        Assert.IsTrue(files.TryAdd(file, block.Text), $"{page.Name}: {file} is there already");
                    }
                    else if (block.LineOf is { } place)
                    {
                        files[place.File] = Insert(files[place.File], block.Text, place.After, $"{page.Name}: {place.File}");
                    }
                }
            }
        });
        using var image = new MemoryStream();
        EmitResult result = library.Emit(image);
        Assert.IsTrue(result.Success, string.Join('\n', result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)));
        return image.ToArray();
    }

    private static string Insert(string text, string line, string after, string place)
    {
        string[] lines = text.ReplaceLineEndings("\n").Split('\n');
        int index = Array.FindIndex(lines, other => other.Contains(after, StringComparison.Ordinal));
        Assert.IsGreaterThanOrEqualTo(0, index, $"{place} has no line with {after}");
        return string.Join('\n', [.. lines.Take(index + 1), line, .. lines.Skip(index + 1)]);
    }

    private static async Task<string> RunAsync(string[] words, string place)
    {
        if (CommandLine.SmileArguments(words) is { } arguments)
        {
            TextWriter output = Console.Out, error = Console.Error;
            using StringWriter printed = new(), failed = new();
            Console.SetOut(printed);
            Console.SetError(failed);
            try
            {
                int code = await CommandHost.InvokeAsync(SmileCommand.Create(), arguments);
                Assert.AreEqual(0, code, $"{place}: {string.Join(' ', words)}: {failed}");
            }
            finally
            {
                Console.SetOut(output);
                Console.SetError(error);
            }

            return printed.ToString().ReplaceLineEndings("\n");
        }

        if (words is ["dotnet", "run", "--project", var project, "--", .. var rest] && project.StartsWith("examples/", StringComparison.Ordinal))
        {
            return await ExampleProcess.RunInAsync(Environment.CurrentDirectory, Path.GetFileName(project), rest);
        }

        throw new AssertFailedException($"{place}: the tests can't run {string.Join(' ', words)}");
    }

    /// <summary>Says what is wrong with a command: an option that there isn't, a file that is not in the repository.</summary>
    private static IEnumerable<string> Check(string[] words, bool whole)
    {
        string line = string.Join(' ', words);
        if (CommandLine.SmileArguments(words) is { } arguments)
        {
            ParseResult parsed = SmileCommand.Create().Parse(arguments);
            foreach (ParseError error in parsed.Errors.Where(error => whole || parsed.UnmatchedTokens.Any(error.Message.Contains)))
            {
                yield return $"{line}: {error.Message}";
            }
        }
        else if (words is ["dotnet", var verb, ..])
        {
            foreach (string path in words.Where(word => word.StartsWith("src/", StringComparison.Ordinal) || word.StartsWith("test/", StringComparison.Ordinal) || word.StartsWith("examples/", StringComparison.Ordinal)))
            {
                if (!Path.Exists(Repository.PathOf(path)))
                {
                    yield return $"{line}: there is no {path}";
                }
            }

            if (verb is "run" && whole && !words.Contains("--project"))
            {
                yield return $"{line}: names no project";
            }
        }
        else if (words is ["./build.sh" or "build.cmd", ..])
        {
            if (words.Length < 2 ? whole : !BuildCommands.Contains(words[1]))
            {
                yield return $"{line}: expected one of {string.Join(", ", BuildCommands)}";
            }
        }
        else if (whole && words[0].Contains('/', StringComparison.Ordinal) && words[0].EndsWith(".sh", StringComparison.Ordinal)
            && !words[0].StartsWith("artifacts/", StringComparison.Ordinal) && !File.Exists(Repository.PathOf(words[0])))
        {
            yield return $"{line}: there is no {words[0]}";
        }
    }

    /// <summary>Loads a page's programs, and the library that they were compiled against where that is not the tests' own.</summary>
    private sealed class PageContext(byte[]? library) : AssemblyLoadContext
    {
        protected override System.Reflection.Assembly? Load(System.Reflection.AssemblyName assemblyName)
            => assemblyName.Name == "Smile.ML" && library is not null ? LoadFromStream(new MemoryStream(library)) : null;
    }
}

// Looks into the packages of a folder: what they hold, what they depend on, and that nothing tells where they were built.
// dotnet run eng/package/check.cs -- FOLDER [PATH that no file may hold ...]
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

string[] forbidden = args[1..];
foreach (Expected expected in Expected.All)
{
    string path = Directory.GetFiles(args[0], $"{expected.Id}.*.nupkg").Single(file => char.IsDigit(Path.GetFileName(file)[expected.Id.Length + 1]));
    using ZipArchive package = ZipFile.OpenRead(path), symbols = ZipFile.OpenRead(Path.ChangeExtension(path, ".snupkg"));
    XElement metadata = XDocument.Parse(Text(package, $"{expected.Id}.nuspec")).Root!.Elements().Single(e => e.Name.LocalName == "metadata");
    string Value(string name) => metadata.Elements().SingleOrDefault(e => e.Name.LocalName == name)?.Value.Trim() ?? "";

    foreach (string name in (string[])["authors", "copyright", "description", "icon", "license", "readme", "releaseNotes", "tags"])
    {
        Require(Value(name).Length > 0, $"has no {name}");
    }

    Dictionary<string, string> dependencies = metadata.Descendants().Where(e => e.Name.LocalName == "dependency")
        .ToDictionary(e => e.Attribute("id")!.Value, e => e.Attribute("version")!.Value);
    Require(dependencies.Keys.Order().SequenceEqual(expected.Dependencies.Order()), $"depends on {string.Join(", ", dependencies.Keys)}");
    Require(dependencies.GetValueOrDefault("Microsoft.ML", "5.0.0") == "5.0.0", $"depends on Microsoft.ML {dependencies.GetValueOrDefault("Microsoft.ML")}");
    Require(dependencies.GetValueOrDefault("Smile.ML", Value("version")) == Value("version"), "depends on another version of Smile.ML");

    HashSet<string> names = [.. package.Entries.Select(entry => entry.FullName)];
    foreach (string name in expected.Files.Append(Value("icon")).Append(Value("readme")))
    {
        Require(names.Contains(name), $"has no {name}");
    }

    Require(!Regex.IsMatch(Text(package, Value("readme")), @"\]\((?!https://)"), "its readme links to a place that is not on the web");
    Require(!names.Any(name => name.Contains("LoaderAttribute")), "holds the compile-time face of ML.NET's attribute");
    foreach (ZipArchiveEntry entry in package.Entries.Concat(symbols.Entries).Where(entry => !OthersFiles().IsMatch(entry.FullName)))
    {
        byte[] content = Bytes(entry);
        foreach (string place in forbidden)
        {
            Require(content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(place)) < 0 && content.AsSpan().IndexOf(Encoding.Unicode.GetBytes(place)) < 0, $"{entry.FullName} holds {place}");
        }
    }

    ZipArchiveEntry[] pdbs = [.. symbols.Entries.Where(entry => entry.Name.EndsWith(".pdb", StringComparison.Ordinal))];
    Require(pdbs.Select(entry => entry.Name).Order().SequenceEqual(expected.Symbols.Order()), $"its symbols are {string.Join(", ", pdbs.Select(entry => entry.Name))}");
    int sources = 0;
    foreach (ZipArchiveEntry entry in pdbs)
    {
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(Bytes(entry)));
        MetadataReader pdb = provider.GetMetadataReader();
        foreach (DocumentHandle handle in pdb.Documents)
        {
            string document = pdb.GetString(pdb.GetDocument(handle).Name);
            Require(document.StartsWith("/_/", StringComparison.Ordinal) || !Path.IsPathRooted(document), $"{entry.Name}: the source {document} is not seen from the repository's root");
            bool embedded = pdb.GetCustomDebugInformation(handle).Any(info => pdb.GetGuid(pdb.GetCustomDebugInformation(info).Kind) == Expected.EmbeddedSource);
            Require(embedded, $"{entry.Name}: the source {document} is not in it");
            sources++;
        }
    }

    Console.WriteLine($"{Path.GetFileName(path)}: {names.Count} files, {sources} sources in the symbols; depends on {(dependencies.Count == 0 ? "nothing" : string.Join(", ", dependencies.Select(d => $"{d.Key} {d.Value}")))}");

    void Require(bool holds, string problem)
    {
        if (!holds)
        {
            Console.Error.WriteLine($"{Path.GetFileName(path)}: {problem}");
            Environment.Exit(1);
        }
    }
}

static byte[] Bytes(ZipArchiveEntry entry)
{
    using var content = new MemoryStream();
    using Stream stream = entry.Open();
    stream.CopyTo(content);
    return content.ToArray();
}

static string Text(ZipArchive package, string name) => Encoding.UTF8.GetString(Bytes(package.GetEntry(name)!)).TrimStart('\uFEFF');

// In the tool lie the files of others, which may tell where they were built.
static Regex OthersFiles() => new("^tools/.*/(runtimes/|(Microsoft|System|Newtonsoft|Spectre)[.])");

internal sealed record Expected(string Id, string[] Dependencies, string[] Files, string[] Symbols)
{
    // The kind of debug information that a source file is, in a portable PDB.
    public static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    public static readonly Expected[] All =
    [
        new(
            "Smile.ML",
            [
                "Microsoft.ML", "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
                "Microsoft.Extensions.Options.ConfigurationExtensions",
            ],
            ["lib/net10.0/Smile.ML.dll", "lib/net10.0/Smile.ML.xml"],
            ["Smile.ML.pdb"]),
        new("Smile.ML.Cuda", ["Smile.ML"], ["lib/net10.0/Smile.ML.Cuda.dll", "lib/net10.0/Smile.ML.Cuda.xml"], ["Smile.ML.Cuda.pdb"]),
        new(
            "Smile.ML.Tool",
            [],
            [.. from name in (string[])["smile.dll", "Smile.ML.dll", "Smile.ML.Cuda.dll", "Microsoft.ML.Data.dll", "DotnetToolSettings.xml"] select $"tools/net10.0/any/{name}"],
            ["Smile.ML.pdb", "Smile.ML.Cuda.pdb", "smile.pdb"]),
    ];
}

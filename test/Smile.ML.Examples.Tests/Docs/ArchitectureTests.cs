using System.Reflection;
using Microsoft.CodeAnalysis.CSharp;

namespace Smile.ML.Examples.Tests.Docs;

/// <summary>The library's folders know those below them only, and <c>docs/architecture.md</c> says which.</summary>
[TestClass]
public sealed class ArchitectureTests
{
    private static readonly string[] MayKnowMLNet = ["DependencyInjection", "Pipeline"];

    [TestMethod]
    public void FoldersReferDownwardOnly()
    {
        LibraryFolders folders = LibraryFolders.Read(Library.Compile());
        Assert.IsEmpty(folders.Upward(), string.Join('\n', folders.Upward()));
        string[] others = [.. folders.KnowMLNet.Where(folder => !MayKnowMLNet.Contains(folder.Key)).Select(folder => folder.Value)];
        Assert.IsEmpty(others, string.Join('\n', others));
        string page = File.ReadAllText(Repository.PathOf("docs", "architecture.md")).ReplaceLineEndings("\n");
        StringAssert.Contains(page, folders.Draw(), $"docs/architecture.md is not current; the folders are\n{folders.Draw()}\n");
    }

    [TestMethod]
    public void AReferenceUpwardIsFound()
    {
        const string Upward = "src/Smile.ML/Compute/Upward.cs", Foreign = "src/Smile.ML/Networks/Foreign.cs";
        CSharpCompilation library = Library.Compile(files =>
        {
            files[Upward] = "namespace Smile.ML.Compute; internal static class Upward { public static string Up(Fusion.ModelPool pool) => pool.Location; }";
            files[Foreign] = "namespace Smile.ML.Networks; internal static class Foreign { public static object Make() => new Microsoft.ML.MLContext(); }";
        });
        StringAssert.StartsWith(LibraryFolders.Read(library, Upward).Upward().Single(), $"{Upward}(1): ");
        StringAssert.StartsWith(LibraryFolders.Read(library, Foreign).KnowMLNet["Networks"], $"{Foreign}(1): ");
    }

    [TestMethod]
    public void TheCommandAndTheCudaBackendDoNotKnowMLNet()
    {
        foreach (string assembly in (string[])["smile", "Smile.ML.Cuda"])
        {
            AssemblyName[] references = Assembly.Load(assembly).GetReferencedAssemblies();
            Assert.IsTrue(references.Any(reference => reference.Name == "Smile.ML"), assembly);
            Assert.IsFalse(references.Any(reference => reference.Name!.StartsWith("Microsoft.ML", StringComparison.Ordinal)), assembly);
        }
    }
}

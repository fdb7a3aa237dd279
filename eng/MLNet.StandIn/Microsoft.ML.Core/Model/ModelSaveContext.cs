using System.Text;

namespace Microsoft.ML;

/// <summary>Where one component of a model writes itself: a directory of the archive with a Model.key entry.</summary>
public sealed class ModelSaveContext : IDisposable
{
    internal readonly RepositoryWriter Repository;
    internal readonly string Directory;

    /// <summary>The component's small data, kept in the Model.key entry after the header.</summary>
    internal readonly BinaryWriter Writer = new(new MemoryStream(), Encoding.UTF8);

    private ModelHeader _header;

    internal ModelSaveContext(RepositoryWriter repository, string directory) => (Repository, Directory) = (repository, directory);

    internal static void SaveModel<T>(RepositoryWriter repository, T value, string path)
        where T : class
    {
        if (value is ICanSaveModel model)
        {
            using var context = new ModelSaveContext(repository, path);
            model.Save(context);
            context.Done();
        }
    }

    internal void SetVersionInfo(VersionInfo ver) => _header = new ModelHeader(ver);

    internal void SaveBinaryStream(string name, Action<BinaryWriter> action)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(action);
        Repository.Write(Directory, name, stream =>
        {
            using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
            action(writer);
        });
    }

    /// <summary>Saves a part of the component in a subdirectory.</summary>
    internal void SaveModel<T>(T value, string name)
        where T : class
        => SaveModel(Repository, value, RepositoryPath.Combine(Directory, name));

    internal void Done()
    {
        if (_header is null)
        {
            throw new InvalidOperationException($"What was saved in '{Directory}' has no version info, so nothing could load it.");
        }
        Writer.Flush();
        SaveBinaryStream(ModelLoadContext.ModelStreamName, writer =>
        {
            _header.Write(writer);
            ((MemoryStream)Writer.BaseStream).WriteTo(writer.BaseStream);
        });
    }

    public void Dispose() => Writer.Dispose();
}

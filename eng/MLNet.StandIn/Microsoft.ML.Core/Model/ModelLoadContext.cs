using System.Reflection;
using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>What one component of a model reads itself from; see <see cref="ModelSaveContext"/>.</summary>
internal sealed class ModelLoadContext : IDisposable
{
    public const string ModelStreamName = "Model.key";

    public readonly RepositoryReader Repository;
    public readonly string Directory;
    public readonly BinaryReader Reader;

    private readonly ModelHeader _header;

    internal ModelLoadContext(RepositoryReader repository, Stream modelEntry, string directory)
    {
        Repository = repository;
        Directory = directory;
        Reader = new BinaryReader(modelEntry, Encoding.UTF8);
        _header = ModelHeader.Read(Reader);
    }

    /// <summary>Loads what the directory's Model.key describes, or returns false if there is none.</summary>
    /// <exception cref="FormatException">Nothing that is registered for the signature can load the model.</exception>
    public static bool LoadModelOrNull<TRes, TSig>(IHostEnvironment env, out TRes result, RepositoryReader repository, string directory, params object[] extra)
        where TRes : class
    {
        result = null;
        if (repository.OpenOrNull(directory, ModelStreamName) is not { } entry)
        {
            return false;
        }
        using var context = new ModelLoadContext(repository, entry, directory);
        result = context.Create<TRes, TSig>(env, extra);
        return true;
    }

    /// <inheritdoc cref="LoadModelOrNull"/>
    public static void LoadModel<TRes, TSig>(IHostEnvironment env, out TRes result, RepositoryReader repository, string directory, params object[] extra)
        where TRes : class
    {
        if (!LoadModelOrNull<TRes, TSig>(env, out result, repository, directory, extra))
        {
            throw Contracts.Mark(new FormatException($"Corrupt model file: it has no '{RepositoryPath.Combine(directory, ModelStreamName)}'."));
        }
    }

    /// <summary>Loads a part from a subdirectory.</summary>
    public void LoadModel<TRes, TSig>(IHostEnvironment env, out TRes result, string name, params object[] extra)
        where TRes : class
        => LoadModel<TRes, TSig>(env, out result, Repository, RepositoryPath.Combine(Directory, name), extra);

    public void CheckAtModel(VersionInfo ver) => _header.Check(ver);

    public bool TryLoadBinaryStream(string name, Action<BinaryReader> action)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(action);
        using var stream = Repository.OpenOrNull(Directory, name);
        if (stream is null)
        {
            return false;
        }
        using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
        action(reader);
        return true;
    }

    public void Dispose() => Reader.Dispose();

    private TRes Create<TRes, TSig>(IHostEnvironment env, object[] extra)
        where TRes : class
    {
        if (_header.LoaderAssemblyName.Length > 0)
        {
            env.ComponentCatalog.RegisterAssembly(Assembly.Load(_header.LoaderAssemblyName));
        }
        foreach (string signature in (string[])[_header.LoaderSignature, _header.LoaderSignatureAlt])
        {
            if (env.ComponentCatalog.GetLoadableClassInfo(signature, typeof(TSig))?.CreateInstance(env, [this, .. extra]) is TRes result)
            {
                return result;
            }
        }
        throw Contracts.Mark(new FormatException(
            $"Couldn't load model: '{Directory}'. No loader '{_header.LoaderSignature}' of assembly '{_header.LoaderAssemblyName}' is registered."));
    }
}

using Microsoft.Win32.SafeHandles;
using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>
/// The files of a model's folder, held open so that the model can be saved as long as it lives. A temporary folder's names are deleted at
/// once where the system lets (Unix; Windows from version 10 on): then nothing is left behind even by a crash, and the disk space is
/// free when the files are closed, by <see cref="Dispose"/> or by the handles' finalizers.
/// </summary>
internal sealed class ModelFiles : IDisposable
{
    private const int ChunkLength = 1 << 20;

    private readonly List<(string Name, SafeFileHandle Handle)> _files = [];
    private readonly ScratchFolder? _scratch;

    private ModelFiles(ScratchFolder? scratch) => _scratch = scratch;

    /// <summary>Tells what the files are.</summary>
    /// <param name="whole">Whether to read all of them, and not only their ends.</param>
    /// <exception cref="ObjectDisposedException">The files are closed.</exception>
    public SavedFile[] Describe(bool whole)
        => [.. _files.Select(file => whole ? SavedFile.OfAll(file.Name, file.Handle) : SavedFile.OfEnds(file.Name, file.Handle))];

    /// <summary>Opens the files of a model.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="scratch">The temporary folder that the model's is in, to delete now or with the last file; or null.</param>
    /// <exception cref="SmileException">The folder holds no readable checkpoint.</exception>
    public static ModelFiles Open(string folder, ScratchFolder? scratch = null)
    {
        var files = new ModelFiles(scratch);
        try
        {
            using var model = HuggingFaceFolder.Open(folder);
            foreach (string name in model.FileNames)
            {
                files._files.Add((name, File.OpenHandle(Path.Combine(folder, name), share: FileShare.Read | FileShare.Delete)));
            }
        }
        catch
        {
            files.Dispose();
            throw;
        }

        scratch?.Dispose();
        return files;
    }

    /// <summary>Writes a file's content, a piece at a time.</summary>
    /// <exception cref="ObjectDisposedException">The files are closed.</exception>
    public void CopyTo(string name, BinaryWriter destination)
    {
        SafeFileHandle handle = _files.Find(file => file.Name == name).Handle;
        var chunk = new byte[ChunkLength];
        long position = 0;
        for (int read; (read = RandomAccess.Read(handle, chunk, position)) > 0; position += read)
        {
            destination.Write(chunk, 0, read);
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        _files.ForEach(file => file.Handle.Dispose());
        _scratch?.Dispose();
    }
}

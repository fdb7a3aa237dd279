using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Smile.ML.Checkpoints;

namespace Smile.ML;

/// <summary>A file of a saved model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Fingerprint">
/// A SHA-256 in hexadecimal digits. Of a file in the model file: of its whole content. Of one that stays in its folder (and of all in the format's
/// first two versions): of its first and last 64 KiB, which tells one training's weights from another's of the same shapes without reading gigabytes.
/// </param>
internal sealed record SavedFile(string Name, long Length, string Fingerprint)
{
    private const int SampleLength = 64 << 10;
    private const int ChunkLength = 1 << 20;

    /// <summary>Reads an open file.</summary>
    public static SavedFile OfAll(string name, SafeFileHandle handle)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var chunk = new byte[ChunkLength];
        long length = 0;
        for (int read; (read = RandomAccess.Read(handle, chunk, length)) > 0; length += read)
        {
            hash.AppendData(chunk, 0, read);
        }

        return new SavedFile(name, length, Convert.ToHexString(hash.GetHashAndReset()));
    }

    /// <summary>Looks at both ends of an open file.</summary>
    public static SavedFile OfEnds(string name, SafeFileHandle handle)
    {
        long length = RandomAccess.GetLength(handle);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Read(handle, 0));
        hash.AppendData(Read(handle, Math.Max(0, length - SampleLength)));
        return new SavedFile(name, length, Convert.ToHexString(hash.GetHashAndReset()));
    }

    /// <summary>Describes the content, for messages. A damaged file's fingerprint may be of any length.</summary>
    public override string ToString() => $"{Length} bytes, fingerprint {ErrorText.Clip(Fingerprint[..Math.Min(Fingerprint.Length, 16)])}";

    private static byte[] Read(SafeFileHandle handle, long offset)
    {
        var sample = new byte[SampleLength];
        int count = 0;
        for (int read; (read = RandomAccess.Read(handle, sample.AsSpan(count), offset + count)) > 0;)
        {
            count += read;
        }

        return sample[..count];
    }
}

using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Smile.ML;

/// <summary>A file of a saved model.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Fingerprint">
/// SHA-256 of its first and last 64 KiB, in hexadecimal digits: tells one training's weights from another's of the same shapes, without
/// reading gigabytes.
/// </param>
internal sealed record SavedFile(string Name, long Length, string Fingerprint)
{
    private const int SampleLength = 64 << 10;

    /// <summary>Looks at an open file.</summary>
    public static SavedFile Of(string name, SafeFileHandle handle)
    {
        long length = RandomAccess.GetLength(handle);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Read(handle, 0));
        hash.AppendData(Read(handle, Math.Max(0, length - SampleLength)));
        return new SavedFile(name, length, Convert.ToHexString(hash.GetHashAndReset()));
    }

    /// <summary>Describes the content, for messages.</summary>
    public override string ToString() => $"{Length} bytes, fingerprint {Fingerprint[..16]}";

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

using System.Runtime.InteropServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Hands large blocks of native memory that were freed to the next request of the same size, as long as anyone asks for that: work
/// that takes and frees the same large blocks over and over otherwise spends a good part of its time having the system clear them. Blocks
/// are kept only within the most that was ever in use, so keeping them raises no peak. Safe to use from many threads.
/// </summary>
internal static unsafe class RecycledMemory
{
    // Smaller ones the allocator keeps by itself.
    private const nuint LeastBytes = 1 << 20;

    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14;

    private static readonly delegate* unmanaged<void*, nuint, int, int> Advise = FindAdvise();

    private static readonly Lock Lock = new();
    private static readonly SortedDictionary<nuint, Stack<nint>> Kept = [];
    private static nuint _keptBytes;
    private static nuint _bytesInUse;
    private static nuint _mostInUse;
    private static int _scopes;

    /// <summary>Gets the bytes of the blocks kept for the next request.</summary>
    public static long KeptBytes
    {
        get
        {
            lock (Lock)
            {
                return (long)_keptBytes;
            }
        }
    }

    /// <summary>Keeps freed blocks until the result is disposed.</summary>
    public static IDisposable Keep()
    {
        lock (Lock)
        {
            if (_scopes++ == 0)
            {
                _mostInUse = _bytesInUse;
            }
        }

        return new Scope();
    }

    /// <summary>Allocates a block; its content is undefined.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public static void* Allocate(nuint bytes, nuint alignment)
    {
        if (bytes < LeastBytes)
        {
            return NativeMemory.AlignedAlloc(bytes, alignment);
        }

        lock (Lock)
        {
            _bytesInUse += bytes;
            _mostInUse = nuint.Max(_mostInUse, _bytesInUse);
            if (Kept.TryGetValue(bytes, out Stack<nint>? blocks) && blocks.TryPop(out nint block))
            {
                _keptBytes -= bytes;
                return (void*)block;
            }

            Release(_mostInUse - _bytesInUse);
        }

        try
        {
            return New(bytes, alignment);
        }
        catch
        {
            lock (Lock)
            {
                _bytesInUse -= bytes;
            }

            throw;
        }
    }

    /// <summary>Frees a block that <see cref="Allocate"/> gave, always with the same alignment.</summary>
    public static void Free(void* block, nuint bytes)
    {
        if (bytes >= LeastBytes)
        {
            lock (Lock)
            {
                _bytesInUse -= bytes;
                if (_scopes > 0)
                {
                    if (!Kept.TryGetValue(bytes, out Stack<nint>? blocks))
                    {
                        Kept.Add(bytes, blocks = new Stack<nint>());
                    }

                    blocks.Push((nint)block);
                    _keptBytes += bytes;
                    return;
                }
            }
        }

        NativeMemory.AlignedFree(block);
    }

    /// <summary>
    /// Allocates a block, of large pages if it has room for one and the system has them: for small ones it would take a fault each, and more
    /// entries than the processor's table of translations has.
    /// </summary>
    private static void* New(nuint bytes, nuint alignment)
    {
        if (bytes < HugePage || Advise == null)
        {
            return NativeMemory.AlignedAlloc(bytes, alignment);
        }

        // A last page that would stay mostly empty is left small. A system that can't follow the advice says so, and serves small pages.
        nuint advised = checked(bytes + (HugePage / 2) - 1) & ~(HugePage - 1);
        void* block = NativeMemory.AlignedAlloc(nuint.Max(bytes, advised), HugePage);
        _ = Advise(block, advised, AdviseHugePages);
        return block;
    }

    private static delegate* unmanaged<void*, nuint, int, int> FindAdvise()
        => OperatingSystem.IsLinux()
            && NativeLibrary.TryLoad("libc", typeof(RecycledMemory).Assembly, null, out nint library)
            && NativeLibrary.TryGetExport(library, "madvise", out nint export)
                ? (delegate* unmanaged<void*, nuint, int, int>)export
                : null;

    /// <summary>Gives kept blocks back, small ones first, until only so many bytes are left.</summary>
    private static void Release(nuint bytes)
    {
        foreach ((nuint size, Stack<nint> blocks) in Kept)
        {
            while (_keptBytes > bytes && blocks.TryPop(out nint block))
            {
                NativeMemory.AlignedFree((void*)block);
                _keptBytes -= size;
            }
        }
    }

    private sealed class Scope : IDisposable
    {
        private bool _disposed;

        public void Dispose()
        {
            lock (Lock)
            {
                if (!_disposed)
                {
                    _disposed = true;
                    if (--_scopes == 0)
                    {
                        Release(0);
                        Kept.Clear();
                    }
                }
            }
        }
    }
}

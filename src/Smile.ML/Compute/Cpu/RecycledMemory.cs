using System.Runtime.InteropServices;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// Hands large blocks of native memory that were freed to the next request of the same size, as long as anyone asks for that: work
/// that takes and frees the same large blocks over and over otherwise spends a good part of its time having the system clear them. A
/// request that no kept block fits releases all of them first, so the peak is that of the blocks in use. Safe to use from many threads.
/// </summary>
internal static unsafe class RecycledMemory
{
    // Smaller ones the allocator keeps by itself.
    private const nuint LeastBytes = 1 << 20;

    private static readonly Lock Lock = new();
    private static readonly Dictionary<nuint, Stack<nint>> Kept = [];
    private static int _scopes;

    /// <summary>Keeps freed blocks until the result is disposed.</summary>
    public static IDisposable Keep()
    {
        lock (Lock)
        {
            _scopes++;
        }

        return new Scope();
    }

    /// <summary>Allocates a block; its content is undefined.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much memory.</exception>
    public static void* Allocate(nuint bytes, nuint alignment)
    {
        if (bytes >= LeastBytes)
        {
            lock (Lock)
            {
                if (Kept.TryGetValue(bytes, out Stack<nint>? blocks) && blocks.TryPop(out nint block))
                {
                    return (void*)block;
                }

                Release();
            }
        }

        return NativeMemory.AlignedAlloc(bytes, alignment);
    }

    /// <summary>Frees a block that <see cref="Allocate"/> gave, always with the same alignment.</summary>
    public static void Free(void* block, nuint bytes)
    {
        if (bytes >= LeastBytes)
        {
            lock (Lock)
            {
                if (_scopes > 0)
                {
                    if (!Kept.TryGetValue(bytes, out Stack<nint>? blocks))
                    {
                        Kept.Add(bytes, blocks = new Stack<nint>());
                    }

                    blocks.Push((nint)block);
                    return;
                }
            }
        }

        NativeMemory.AlignedFree(block);
    }

    private static void Release()
    {
        foreach (nint block in Kept.Values.SelectMany(blocks => blocks))
        {
            NativeMemory.AlignedFree((void*)block);
        }

        Kept.Clear();
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
                        Release();
                    }
                }
            }
        }
    }
}

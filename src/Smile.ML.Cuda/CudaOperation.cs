using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Smile.ML.Cuda.Interop;

namespace Smile.ML.Cuda;

/// <summary>
/// One piece of a stream's work, written as words: its kind and length, then what it is called with, addresses included. Equal words do
/// the same. What an upload copies is not part of them.
/// </summary>
internal static unsafe class CudaOperation
{
    private const int KernelWords = 5;
    private const int UploadWords = 3;
    private const int FillWords = 4;

    /// <summary>What an operation does.</summary>
    public enum Kind
    {
        Kernel,
        Upload,
        Fill,
        Product,
    }

    /// <summary>Gets the words that a kernel's launch takes.</summary>
    public static int WordsOfKernel(ReadOnlySpan<KernelArgument> arguments)
    {
        int words = KernelWords;
        foreach (KernelArgument argument in arguments)
        {
            words += 1 + argument.Words;
        }

        return words;
    }

    /// <summary>Writes a kernel's launch.</summary>
    public static void WriteKernel(
        Span<ulong> words, nint function, uint columns, uint rows, int threads, int sharedBytes, ReadOnlySpan<KernelArgument> arguments)
    {
        Begin(words, Kind.Kernel);
        words[1] = (ulong)function;
        words[2] = columns | ((ulong)rows << 32);
        words[3] = (uint)threads | ((ulong)(uint)sharedBytes << 32);
        words[4] = (ulong)arguments.Length;
        Span<ulong> rest = words[KernelWords..];
        foreach (KernelArgument argument in arguments)
        {
            int count = argument.Words;
            rest[0] = (ulong)count;
            argument.CopyTo(rest.Slice(1, count));
            rest = rest[(1 + count)..];
        }
    }

    /// <summary>Writes a copy from the host.</summary>
    public static ulong[] Upload(ulong destination, int bytes)
    {
        var words = new ulong[UploadWords];
        Begin(words, Kind.Upload);
        words[1] = destination;
        words[2] = (ulong)bytes;
        return words;
    }

    /// <summary>Writes a fill with copies of a 32-bit word.</summary>
    public static ulong[] Fill(ulong destination, uint word, long count)
    {
        var words = new ulong[FillWords];
        Begin(words, Kind.Fill);
        words[1] = destination;
        words[2] = word;
        words[3] = (ulong)count;
        return words;
    }

    /// <summary>Writes a product by cuBLASLt.</summary>
    public static ulong[] Product(in CublasLtProduct product)
    {
        var words = new ulong[1 + (sizeof(CublasLtProduct) / sizeof(ulong))];
        Begin(words, Kind.Product);
        MemoryMarshal.Write(MemoryMarshal.AsBytes(words.AsSpan(1)), product);
        return words;
    }

    /// <summary>Gets an operation's kind.</summary>
    public static Kind KindOf(ReadOnlySpan<ulong> words) => (Kind)(uint)words[0];

    /// <summary>Gets the words of the operation that begins here.</summary>
    public static int LengthOf(ReadOnlySpan<ulong> words) => (int)(words[0] >> 32);

    /// <summary>Gets the bytes that an operation copies from the host.</summary>
    public static int ContentOf(ReadOnlySpan<ulong> words) => KindOf(words) == Kind.Upload ? (int)words[2] : 0;

    /// <summary>Gets the blocks of a kernel's launch.</summary>
    public static long BlocksOf(ReadOnlySpan<ulong> words) => (long)(uint)words[2] * (long)(words[2] >> 32);

    /// <summary>Queues an operation.</summary>
    /// <param name="words">The operation.</param>
    /// <param name="device">The device.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="cublasLt">What computes its products; null where there are none.</param>
    /// <param name="content">Page-locked memory that an upload copies from.</param>
    public static void Issue(ReadOnlySpan<ulong> words, CudaDevice device, CudaStream stream, CublasLt? cublasLt, void* content)
    {
        CudaDriver driver = device.Context.Driver;
        fixed (ulong* first = words)
        {
            switch (KindOf(words))
            {
                case Kind.Kernel:
                    IssueKernel(first, device, stream);
                    break;
                case Kind.Upload:
                    driver.Check(driver.CopyToDevice(first[1], content, (nuint)first[2], stream.Value), "Copying to the GPU");
                    break;
                case Kind.Fill:
                    driver.Check(driver.FillWords(first[1], (uint)first[2], (nuint)first[3], stream.Value), "Filling memory on the GPU");
                    break;
                default:
                    cublasLt!.Multiply(stream, Unsafe.ReadUnaligned<CublasLtProduct>(first + 1));
                    break;
            }
        }
    }

    private static void Begin(Span<ulong> words, Kind kind) => words[0] = (uint)kind | ((ulong)words.Length << 32);

    private static void IssueKernel(ulong* words, CudaDevice device, CudaStream stream)
    {
        int count = (int)words[4];
        void** locations = stackalloc void*[count];
        ulong* next = words + KernelWords;
        for (int i = 0; i < count; i++)
        {
            locations[i] = next + 1;
            next += 1 + *next;
        }

        (uint columns, uint rows) = ((uint)words[2], (uint)(words[2] >> 32));
        int status = device.Context.Driver.LaunchKernel(
            (nint)words[1], columns, rows, 1, (uint)words[3], 1, 1, (uint)(words[3] >> 32), stream.Value, locations, null);
        if (status != (int)CudaStatus.Success)
        {
            device.Context.Driver.Check(status, $"Launching {device.NameOf((nint)words[1])} on {columns} x {rows} blocks");
        }
    }
}

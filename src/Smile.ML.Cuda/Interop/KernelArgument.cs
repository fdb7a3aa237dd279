using System.Runtime.CompilerServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>One argument of a kernel: a number or address by value, or a structure that outlives the call of the launch.</summary>
internal readonly unsafe struct KernelArgument
{
    private readonly ulong _bits;
    private readonly void* _structure;
    private readonly int _structureBytes;

    private KernelArgument(ulong bits) => _bits = bits;

    private KernelArgument(void* structure, int bytes)
    {
        _structure = structure;
        _structureBytes = bytes;
    }

    /// <summary>Gets the number of 64-bit words that the value takes.</summary>
    public int Words => _structure is null ? 1 : (_structureBytes + sizeof(ulong) - 1) / sizeof(ulong);

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(long value) => new((ulong)value);

    public static implicit operator KernelArgument(ulong address) => new(address);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    /// <summary>Passes a structure of the kernel's own layout by value; it is read when the kernel is launched.</summary>
    public static KernelArgument Structure<T>(T* value)
        where T : unmanaged
        => new(value, sizeof(T));

    /// <summary>Writes the value, zeros behind it up to a whole word.</summary>
    public void CopyTo(Span<ulong> words)
    {
        if (_structure is null)
        {
            words[0] = _bits;
            return;
        }

        words[^1] = 0;
        fixed (ulong* to = words)
        {
            Unsafe.CopyBlock(to, _structure, (uint)_structureBytes);
        }
    }
}

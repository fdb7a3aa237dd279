namespace Smile.ML.Cuda.Interop;

/// <summary>One argument of a kernel: a number or address by value, or a structure that outlives the call of the launch.</summary>
internal readonly unsafe struct KernelArgument
{
    private readonly long _bits;
    private readonly void* _structure;

    private KernelArgument(long bits) => _bits = bits;

    private KernelArgument(void* structure) => _structure = structure;

    public static implicit operator KernelArgument(int value) => new((uint)value);

    public static implicit operator KernelArgument(long value) => new(value);

    public static implicit operator KernelArgument(ulong address) => new((long)address);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value));

    /// <summary>Passes a structure of the kernel's own layout by value; it is read when the kernel is launched.</summary>
    public static KernelArgument Structure<T>(T* value)
        where T : unmanaged
        => new((void*)value);

    /// <summary>Gets the address of the value, as a launch takes it.</summary>
    /// <param name="self">Where this argument itself stands.</param>
    public void* Location(KernelArgument* self) => _structure is null ? &self->_bits : _structure;
}

namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>What a GPU could do at most: the arithmetic that a bound on a time is made of.</summary>
/// <param name="BFloat16">Operations a second with bf16 factors; null where it is not known.</param>
/// <param name="Bytes">Bytes a second from memory; null where the driver doesn't say.</param>
internal sealed record Peak(double? BFloat16, double? Bytes)
{
    // CU_DEVICE_ATTRIBUTE_...
    private const int ClockKiloHertz = 13;
    private const int MemoryClockKiloHertz = 36;
    private const int MemoryBusBits = 37;

    /// <summary>Gets operations a second with tf32 factors; null where it is not known.</summary>
    public double? Tf32 => BFloat16 / 2;

    /// <summary>Takes a device's multiprocessors, clocks and memory bus, as the driver states them.</summary>
    public static Peak Of(CudaDevice device)
    {
        // Multiply-adds with bf16 factors that a multiprocessor does in a clock, after NVIDIA's architecture papers; half as many with tf32.
        // Later ones than 9.0 are not known here.
        double? perClock = device.ComputeCapability switch
        {
            (8, 0) => 1024,
            (8, _) => 512,
            (9, 0) => 2048,
            _ => null,
        };
        double? operations = 2 * perClock * device.Multiprocessors * device.Attribute(ClockKiloHertz) * 1e3;

        // Two words a clock.
        double bytes = 2e3 * device.Attribute(MemoryClockKiloHertz) * device.Attribute(MemoryBusBits) / 8;
        return new Peak(operations, bytes > 0 ? bytes : null);
    }

    /// <summary>Gets the seconds that work takes at least, by those rates that are known; null where none is.</summary>
    public double? Seconds(MatrixPrecision precision, double operations, double bytes)
    {
        double? byOperations = operations / (precision == MatrixPrecision.Tf32 ? Tf32 : BFloat16), byBytes = bytes / Bytes;
        return byOperations > byBytes || byBytes is null ? byOperations : byBytes;
    }
}

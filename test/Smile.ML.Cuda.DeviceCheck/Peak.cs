namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>What a GPU could do at most: the arithmetic that a bound on a time is made of.</summary>
/// <param name="BFloat16">Operations a second with bf16 factors; 0 where it is not known.</param>
/// <param name="Tf32">Likewise for tf32.</param>
/// <param name="Bytes">Bytes a second from memory; 0 where the driver doesn't say.</param>
internal sealed record Peak(double BFloat16, double Tf32, double Bytes)
{
    // CU_DEVICE_ATTRIBUTE_...
    private const int ClockKiloHertz = 13;
    private const int MemoryClockKiloHertz = 36;
    private const int MemoryBusBits = 37;

    /// <summary>Takes a device's multiprocessors, clocks and memory bus, as the driver states them.</summary>
    public static Peak Of(CudaDevice device)
    {
        // Multiply-adds with bf16 factors that a multiprocessor does in a clock, after NVIDIA's architecture papers; half as many with tf32.
        double perClock = device.ComputeCapability switch
        {
            (8, 0) => 1024,
            (8, _) => 512,
            (9, 0) => 2048,
            _ => 0,
        };
        double operations = 2 * perClock * device.Multiprocessors * device.Attribute(ClockKiloHertz) * 1e3;

        // Two words a clock.
        return new Peak(operations, operations / 2, 2e3 * device.Attribute(MemoryClockKiloHertz) * device.Attribute(MemoryBusBits) / 8);
    }

    /// <summary>Gets the seconds that work takes at least.</summary>
    public double Seconds(MatrixPrecision precision, double operations, double bytes)
    {
        double rate = precision == MatrixPrecision.Tf32 ? Tf32 : BFloat16;
        return Math.Max(rate > 0 ? operations / rate : 0, Bytes > 0 ? bytes / Bytes : 0);
    }
}

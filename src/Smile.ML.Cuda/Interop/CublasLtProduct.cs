using System.Runtime.InteropServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>One product by cuBLASLt: result [rows, outputs] = input [rows, inputs] weight [outputs, inputs]^T + bias.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CublasLtProduct
{
    /// <summary>Address of the input: float32 for a weight of float32, else elements as the weight's.</summary>
    public ulong Input;

    /// <summary>Address of the weight.</summary>
    public ulong Weight;

    /// <summary>Address of the bias, float32, or 0.</summary>
    public ulong Bias;

    /// <summary>Address of the result, float32.</summary>
    public ulong Result;

    public int Rows;
    public int Outputs;
    public int Inputs;
    public WeightStorage Storage;
}

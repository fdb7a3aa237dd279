using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Smile.ML.Cuda;

/// <summary>The products of one launch, laid out as <c>Products</c> in Kernels/dense.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProductArguments
{
    /// <summary>The most products of one launch.</summary>
    public const int MaxProducts = 8;

    public ProductList Items;
    public int Count;

    [InlineArray(MaxProducts)]
    public struct ProductList
    {
        private Product _first;
    }

    /// <summary>One product.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Product
    {
        public ulong Weight;
        public ulong Bias;
        public ulong Result;
        public int Outputs;
        public int FirstTile;
    }
}

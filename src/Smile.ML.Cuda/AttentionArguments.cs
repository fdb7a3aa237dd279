using System.Runtime.InteropServices;

namespace Smile.ML.Cuda;

/// <summary>The arguments of an attention kernel, laid out as in Kernels/attention.cu.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AttentionArguments
{
    public ulong Queries;
    public ulong Keys;
    public ulong Values;
    public ulong Bias;
    public ulong KeyCounts;
    public ulong Mask;
    public ulong Result;
    public int QueryTokens;
    public int KeyTokens;
    public int KeyStride;
    public int Heads;
    public int KeyHeads;
    public int HeadSize;
    public int Causal;
    public int Window;
    public float Scale;
}

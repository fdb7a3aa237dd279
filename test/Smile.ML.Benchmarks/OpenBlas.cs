using System.Runtime.InteropServices;

namespace Smile.ML.Benchmarks;

/// <summary>
/// OpenBLAS to compare with, where the system has it (Debian: libopenblas0-pthread). It picks its kernels by the processor's name, and
/// falls back to older ones for a processor that is newer than itself: the environment variable OPENBLAS_CORETYPE=SKYLAKEX asks for those
/// of AVX-512.
/// </summary>
internal static unsafe partial class OpenBlas
{
    private const string Library = "libopenblas.so.0";
    private const int RowMajor = 101;
    private const int NoTranspose = 111;
    private const int Transpose = 112;

    public static bool IsPresent { get; } = NativeLibrary.TryLoad(Library, out _);

    /// <summary>Gets the name of the kernels in use.</summary>
    public static string Kernels => Marshal.PtrToStringUTF8(GetCoreName()) ?? "";

    [LibraryImport(Library, EntryPoint = "openblas_set_num_threads")]
    public static partial void SetThreads(int count);

    /// <summary>y [rows, outputs] = x [rows, inputs] w^T, w [outputs, inputs].</summary>
    public static void Multiply(int rows, int outputs, int inputs, float* x, float* w, float* y)
        => Sgemm(RowMajor, NoTranspose, Transpose, rows, outputs, inputs, 1, x, inputs, w, inputs, 0, y, outputs);

    [LibraryImport(Library, EntryPoint = "openblas_get_corename")]
    private static partial nint GetCoreName();

    [LibraryImport(Library, EntryPoint = "cblas_sgemm")]
    private static partial void Sgemm(
        int order, int transposeA, int transposeB, int m, int n, int k, float alpha, float* a, int lda, float* b, int ldb, float beta, float* c, int ldc);
}

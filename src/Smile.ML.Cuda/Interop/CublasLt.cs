using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Smile.ML.Cuda.Interop;

/// <summary>
/// Dense products by NVIDIA's cuBLASLt. Which of its kernels runs depends on the number of rows, so a row's result may depend on the
/// batch in its last bits.
/// </summary>
internal sealed unsafe class CublasLt : IDisposable
{
    // From cublasLt.h, cublas_api.h and library_types.h.
    private const int Real32 = 0;
    private const int Real16 = 2;
    private const int RealBFloat16 = 14;
    private const int Compute32 = 68;
    private const int Compute32ByTf32 = 77;
    private const int Transposed = 1;
    private const int TransposeA = 3;
    private const int Epilogue = 7;
    private const int BiasPointer = 8;
    private const int EpilogueBias = 4;
    private const int MaxWorkspaceBytes = 1;
    private const int AlgorithmBytes = 64;
    private const int HeuristicBytes = 96;
    private const int HeuristicState = 72;
    private const long WorkspaceBytes = 32L << 20;

    private static readonly int[] Versions = [13, 12];

    private readonly delegate* unmanaged<nint, int> _destroy;
    private readonly delegate* unmanaged<nint*, int, int, int> _descriptorCreate;
    private readonly delegate* unmanaged<nint, int, void*, nuint, int> _descriptorSet;
    private readonly delegate* unmanaged<nint, int> _descriptorDestroy;
    private readonly delegate* unmanaged<nint*, int, ulong, ulong, long, int> _layoutCreate;
    private readonly delegate* unmanaged<nint, int> _layoutDestroy;
    private readonly delegate* unmanaged<nint*, int> _preferenceCreate;
    private readonly delegate* unmanaged<nint, int, void*, nuint, int> _preferenceSet;
    private readonly delegate* unmanaged<nint, int> _preferenceDestroy;
    private readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, byte*, int*, int> _heuristic;
    private readonly delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, byte*, ulong, nuint, nint, int> _multiply;

    private readonly ConcurrentDictionary<Shape, Plan> _plans = new();
    private readonly CudaContext _context;
    private readonly DeviceMemory _workspace;
    private readonly int _computeType;
    private nint _handle;

    /// <summary>Loads the library.</summary>
    /// <param name="context">The device's context.</param>
    /// <param name="path">The library's file, or null to look for it.</param>
    /// <param name="precision">The precision of the products.</param>
    /// <exception cref="SmileException">It is not there, does not work, or lacks that precision.</exception>
    public CublasLt(CudaContext context, string? path, MatrixPrecision precision)
        : this(context, path is null ? [.. Candidates()] : [path], precision)
    {
    }

    /// <summary>Loads the first library of several that works.</summary>
    /// <param name="context">The device's context.</param>
    /// <param name="candidates">Files or names, in the order in which they are tried.</param>
    /// <param name="precision">The precision of the products.</param>
    /// <exception cref="SmileException">None of them works, or the precision is lacking.</exception>
    public CublasLt(CudaContext context, IReadOnlyList<string> candidates, MatrixPrecision precision)
    {
        // With factors of 16 bits, the sums are float32 all the same.
        _computeType = precision switch
        {
            MatrixPrecision.Full or MatrixPrecision.Float16 or MatrixPrecision.BFloat16 => Compute32,
            MatrixPrecision.Tf32 => Compute32ByTf32,
            _ => throw new SmileException($"cuBLASLt has no precision {precision}; it has Full, Tf32, Float16 and BFloat16."),
        };
        _context = context;
        context.MakeCurrent();
        (nint library, _handle) = Start(candidates);
        _destroy = (delegate* unmanaged<nint, int>)Export("cublasLtDestroy");
        _descriptorCreate = (delegate* unmanaged<nint*, int, int, int>)Export("cublasLtMatmulDescCreate");
        _descriptorSet = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulDescSetAttribute");
        _descriptorDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulDescDestroy");
        _layoutCreate = (delegate* unmanaged<nint*, int, ulong, ulong, long, int>)Export("cublasLtMatrixLayoutCreate");
        _layoutDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatrixLayoutDestroy");
        _preferenceCreate = (delegate* unmanaged<nint*, int>)Export("cublasLtMatmulPreferenceCreate");
        _preferenceSet = (delegate* unmanaged<nint, int, void*, nuint, int>)Export("cublasLtMatmulPreferenceSetAttribute");
        _preferenceDestroy = (delegate* unmanaged<nint, int>)Export("cublasLtMatmulPreferenceDestroy");
        _heuristic = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, byte*, int*, int>)Export("cublasLtMatmulAlgoGetHeuristic");
        _multiply = (delegate* unmanaged<nint, nint, void*, ulong, nint, ulong, nint, void*, ulong, nint, ulong, nint, byte*, ulong, nuint, nint, int>)
            Export("cublasLtMatmul");
        _workspace = DeviceMemory.TryAllocate(context, WorkspaceBytes)
            ?? throw new SmileException($"The GPU has no {WorkspaceBytes >> 20} MiB left for cuBLASLt.");

        nint Export(string name) => NativeLibrary.TryGetExport(library, name, out nint address)
            ? address
            : throw new SmileException($"The library that was loaded as cuBLASLt lacks {name}; version 12 or 13 is needed.");
    }

    /// <summary>Queues a product of 1 row or more.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="product">The product.</param>
    public void Multiply(CudaStream stream, CublasLtProduct product)
    {
        _context.MakeCurrent();
        Plan plan = _plans.GetOrAdd(
            new Shape(product.Rows, product.Outputs, product.Inputs, product.Bias != 0, product.Storage), CreatePlan, product.Bias);
        float one = 1, zero = 0;

        // The bias is part of the plan while the call reads it.
        lock (plan)
        {
            if (product.Bias != 0)
            {
                SetBias(plan.Descriptor, product.Bias);
            }

            fixed (byte* algorithm = plan.Algorithm)
            {
                // Matrices are column by column there: the result's transpose is W X^T.
                Check(
                    _multiply(
                        _handle, plan.Descriptor, &one, product.Weight, plan.Weight, product.Input, plan.Input, &zero, product.Result, plan.Result, product.Result, plan.Result, algorithm, _workspace.Address, (nuint)WorkspaceBytes, stream.Value),
                    $"Multiplying {product.Rows} x {product.Inputs} by {product.Inputs} x {product.Outputs} by cuBLASLt");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Plan plan in _plans.Values)
        {
            _ = _descriptorDestroy(plan.Descriptor);
            _ = _layoutDestroy(plan.Weight);
            _ = _layoutDestroy(plan.Input);
            _ = _layoutDestroy(plan.Result);
        }

        _plans.Clear();
        if (Interlocked.Exchange(ref _handle, 0) is not 0 and nint handle && _context.TryMakeCurrent())
        {
            _ = _destroy(handle);
        }

        _workspace.Dispose();
    }

    private static (nint Library, nint Handle) Start(IReadOnlyList<string> candidates)
    {
        var failures = new List<string>();
        foreach (string candidate in candidates)
        {
            if (!NativeLibrary.TryLoad(candidate, out nint library))
            {
                failures.Add($"{candidate} can't be loaded");
                continue;
            }

            if (!NativeLibrary.TryGetExport(library, "cublasLtCreate", out nint create))
            {
                failures.Add($"{candidate} lacks cublasLtCreate");
            }
            else
            {
                // A library newer than the driver, e.g., loads and doesn't start.
                nint handle;
                int status = ((delegate* unmanaged<nint*, int>)create)(&handle);
                if (status == 0)
                {
                    return (library, handle);
                }

                failures.Add($"{candidate} doesn't start (cuBLAS status {status})");
            }

            NativeLibrary.Free(library);
        }

        throw new SmileException($"cuBLASLt was asked for and none was found that works: {string.Join("; ", failures)}.");
    }

    /// <summary>Beside the application, among its native assets (where TorchSharp's CUDA packages put it), and where CUDA is installed.</summary>
    private static IEnumerable<string> Candidates()
    {
        bool windows = OperatingSystem.IsWindows();
        string? cuda = Environment.GetEnvironmentVariable("CUDA_PATH") ?? (windows ? null : "/usr/local/cuda");
        foreach (int version in Versions)
        {
            string file = windows ? $"cublasLt64_{version}.dll" : $"libcublasLt.so.{version}";
            yield return Path.Combine(AppContext.BaseDirectory, file);
            yield return Path.Combine(AppContext.BaseDirectory, "runtimes", windows ? "win-x64" : "linux-x64", "native", file);
            if (cuda is not null)
            {
                yield return Path.Combine(cuda, windows ? "bin" : "lib64", file);
                if (windows)
                {
                    // CUDA 13's place.
                    yield return Path.Combine(cuda, "bin", "x64", file);
                }
            }

            yield return file;
        }
    }

    private void SetBias(nint descriptor, ulong bias)
        => Check(_descriptorSet(descriptor, BiasPointer, &bias, sizeof(ulong)), "Setting a bias of cuBLASLt");

    private Plan CreatePlan(Shape shape, ulong bias)
    {
        nint descriptor, weight, input, result, preference;
        Check(_descriptorCreate(&descriptor, _computeType, Real32), "Describing a product to cuBLASLt");
        int transposed = Transposed;
        Check(_descriptorSet(descriptor, TransposeA, &transposed, sizeof(int)), "Describing a product to cuBLASLt");
        if (shape.HasBias)
        {
            int epilogue = EpilogueBias;
            Check(_descriptorSet(descriptor, Epilogue, &epilogue, sizeof(int)), "Describing a product to cuBLASLt");

            // Before a kernel is chosen, which may depend on it.
            SetBias(descriptor, bias);
        }

        (ulong rows, ulong outputs, ulong inputs) = ((ulong)shape.Rows, (ulong)shape.Outputs, (ulong)shape.Inputs);
        int type = shape.Storage switch
        {
            WeightStorage.BFloat16 => RealBFloat16,
            WeightStorage.Float16 => Real16,
            _ => Real32,
        };
        int stride = CudaMatrix.RowBytes(shape.Inputs, shape.Storage) / CudaMatrix.ElementBytes(shape.Storage);
        Check(_layoutCreate(&weight, type, inputs, outputs, stride), "Describing a matrix to cuBLASLt");
        Check(_layoutCreate(&input, type, inputs, rows, shape.Inputs), "Describing a matrix to cuBLASLt");
        Check(_layoutCreate(&result, Real32, outputs, rows, shape.Outputs), "Describing a matrix to cuBLASLt");
        Check(_preferenceCreate(&preference), "Describing a product to cuBLASLt");
        long workspace = WorkspaceBytes;
        Check(_preferenceSet(preference, MaxWorkspaceBytes, &workspace, sizeof(long)), "Describing a product to cuBLASLt");
        byte* found = stackalloc byte[HeuristicBytes];
        int count = 0;
        int status = _heuristic(_handle, descriptor, weight, input, result, result, preference, 1, found, &count);
        _ = _preferenceDestroy(preference);
        Check(status, "Choosing a kernel of cuBLASLt");
        if (count == 0)
        {
            throw new SmileException($"cuBLASLt has no kernel for {shape}.");
        }

        Check(*(int*)(found + HeuristicState), $"Choosing a kernel of cuBLASLt for {shape}");

        // The algorithm comes first in what was found.
        return new Plan(descriptor, weight, input, result, new ReadOnlySpan<byte>(found, AlgorithmBytes).ToArray());
    }

    private static void Check(int status, string what)
    {
        if (status != 0)
        {
            throw new SmileException($"{what} failed with cuBLAS status {status}.");
        }
    }

    private readonly record struct Shape(int Rows, int Outputs, int Inputs, bool HasBias, WeightStorage Storage);

    private sealed record Plan(nint Descriptor, nint Weight, nint Input, nint Result, byte[] Algorithm);
}

namespace Smile.ML.Cuda;

/// <summary>A kernel and the blocks that it is launched in.</summary>
/// <param name="Module">The file that it stands in, without ending.</param>
/// <param name="Name">Its name.</param>
/// <param name="Threads">Threads of a block.</param>
/// <param name="SharedBytes">Shared memory of a block, beside what the kernel declares; the same for all its launches.</param>
internal readonly record struct CudaKernel(string Module, string Name, int Threads, int SharedBytes = 0);

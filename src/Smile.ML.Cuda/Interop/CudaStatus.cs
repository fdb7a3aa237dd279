namespace Smile.ML.Cuda.Interop;

/// <summary>The driver's result codes that are told apart; cuda.h has all.</summary>
internal enum CudaStatus
{
    Success = 0,
    OutOfMemory = 2,
}

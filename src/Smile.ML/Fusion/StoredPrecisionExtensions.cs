using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion;

/// <summary>What a stored precision means for tensors and configurations.</summary>
internal static class StoredPrecisionExtensions
{
    /// <summary>Checks that a precision is one of those there are.</summary>
    /// <exception cref="SmileException">It is not.</exception>
    public static void Validate(this StoredPrecision precision)
    {
        if (!Enum.IsDefined(precision))
        {
            throw new SmileException($"Precision is {precision}; expected one of {string.Join(", ", Enum.GetNames<StoredPrecision>())}.");
        }
    }

    /// <summary>Gets the type to store instead of a floating-point type.</summary>
    public static TensorType TypeOf(this StoredPrecision precision, TensorType stored) => precision switch
    {
        StoredPrecision.F32 => TensorType.F32,
        StoredPrecision.BF16 => TensorType.BF16,
        StoredPrecision.F16 => TensorType.F16,
        _ => stored,
    };

    /// <summary>Gets the value of <c>torch_dtype</c> in a configuration; for <see cref="StoredPrecision.Keep"/> there is none.</summary>
    public static string TorchName(this StoredPrecision precision) => precision switch
    {
        StoredPrecision.F32 => "float32",
        StoredPrecision.BF16 => "bfloat16",
        StoredPrecision.F16 => "float16",
        _ => throw new ArgumentOutOfRangeException(nameof(precision), precision, "names no type"),
    };
}

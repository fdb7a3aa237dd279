using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion;

/// <summary>Writes tensors in the precision that was asked for, and counts the parameters.</summary>
internal sealed class FusedTensorWriter(CheckpointWriter writer, StoredPrecision precision)
{
    /// <summary>Gets the number of floating-point values written; one that two layers share counts once.</summary>
    public long Parameters { get; private set; }

    /// <summary>Writes a computed tensor.</summary>
    public void Write(string name, ReadOnlySpan<long> shape, ReadOnlySpan<float> values)
    {
        writer.WriteTensor(name, precision.TypeOf(TensorType.F32), shape.ToArray(), values);
        Parameters += values.Length;
    }

    /// <summary>Copies a tensor, in chunks, under another name.</summary>
    public void Copy(ITensorSource source, string from, string to, bool isCounted = true)
    {
        TensorInfo tensor = source.Tensors[from];
        TensorType type = tensor.Type.IsFloatingPoint() ? precision.TypeOf(tensor.Type) : tensor.Type;
        if (type == tensor.Type)
        {
            writer.WriteRaw(tensor with { Name = to }, source, from);
        }
        else
        {
            writer.WriteConverted(new TensorInfo(to, type, tensor.Shape), source, from);
        }

        Parameters += isCounted && tensor.Type.IsFloatingPoint() ? tensor.ElementCount : 0;
    }
}

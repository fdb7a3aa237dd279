using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion;

/// <summary>Parameters computed from a pool's as they are asked for; tensors of other types are the pretrained model's.</summary>
internal abstract class ComputedTensors(ModelPool pool) : ITensorSource
{
    public abstract string Location { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; } = pool.Pretrained.Tensors.Values
        .ToDictionary(tensor => tensor.Name, tensor => tensor.Type.IsFloatingPoint() ? tensor with { Type = TensorType.F32 } : tensor);

    public abstract void ReadFloats(string name, long start, Span<float> destination);

    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        if (Tensors.TryGetValue(name, out TensorInfo? tensor) && tensor.Type.IsFloatingPoint())
        {
            this.ReadComputedBytes(name, start, destination);
        }
        else
        {
            pool.Pretrained.ReadBytes(name, start, destination);
        }
    }

    public virtual void Dispose()
    {
    }
}

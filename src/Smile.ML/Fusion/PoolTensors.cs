using Smile.ML.Checkpoints;
using Smile.ML.Networks;

namespace Smile.ML.Fusion;

/// <summary>
/// The tensors of a pool whose models don't have all heads in common: the pretrained model's without those heads, and every expert's own
/// ones as <see cref="OwnHeads"/> names them.
/// </summary>
internal sealed class PoolTensors : ITensorSource
{
    private readonly Dictionary<string, (ITensorSource Source, string Name)> _stored = new(StringComparer.Ordinal);

    /// <summary>Puts the tensors together.</summary>
    /// <param name="pretrained">The pretrained model; it must outlive the result.</param>
    /// <param name="experts">The experts; they must outlive the result.</param>
    /// <param name="heads">Which heads are whose own.</param>
    public PoolTensors(HuggingFaceFolder pretrained, IReadOnlyList<Expert> experts, OwnHeads heads)
    {
        Location = pretrained.Location;
        foreach (string name in pretrained.Tensors.Keys.Where(name => !heads.Contains(name)))
        {
            _stored.Add(name, (pretrained, name));
        }

        foreach (Expert expert in experts)
        {
            foreach (string name in expert.Parameters.Tensors.Keys.Where(heads.Contains))
            {
                _stored.Add(OwnHeads.Prefix(expert.Name) + name, (expert.Parameters, name));
            }
        }

        Tensors = _stored.ToDictionary(
            pair => pair.Key, pair => pair.Value.Source.Tensors[pair.Value.Name] with { Name = pair.Key }, StringComparer.Ordinal);
    }

    public string Location { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public void ReadFloats(string name, long start, Span<float> destination)
    {
        (ITensorSource source, string storedName) = Find(name);
        source.ReadFloats(storedName, start, destination);
    }

    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        (ITensorSource source, string storedName) = Find(name);
        source.ReadBytes(storedName, start, destination);
    }

    /// <summary>Does nothing: the models belong to the pool.</summary>
    public void Dispose()
    {
    }

    private (ITensorSource Source, string Name) Find(string name)
    {
        this.GetTensor(name);
        return _stored[name];
    }
}

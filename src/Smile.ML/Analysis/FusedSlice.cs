using System.Text.Json.Nodes;
using Smile.ML.Checkpoints;
using Smile.ML.Routing;

namespace Smile.ML.Analysis;

/// <summary>
/// A fused model seen with smaller ranks, other experts per token or fewer experts: the leading rows and columns of its factors, which
/// are the leading singular triplets. One decomposition serves a whole sweep.
/// </summary>
internal sealed class FusedSlice : ITensorSource
{
    private readonly HuggingFaceFolder _fused;
    private readonly Dictionary<string, Part> _parts = [];

    /// <summary>Creates a view. The fused folder must outlive it.</summary>
    /// <param name="fused">The fused model.</param>
    /// <param name="setting">Ranks no larger than the fused model's; a dense setting keeps the experts as they are.</param>
    /// <param name="experts">The experts to keep, in the new router order.</param>
    public FusedSlice(HuggingFaceFolder fused, SmileSetting setting, IReadOnlyList<int> experts)
    {
        _fused = fused;
        int stored = Routers.ExpertCount(fused.Config);
        string suffix = new RoutedLayerNames("").SharedWeight;
        HashSet<string> taken = [];
        foreach (string shared in fused.Tensors.Keys.Where(name => name.EndsWith(suffix, StringComparison.Ordinal)))
        {
            var names = new RoutedLayerNames(shared[..^suffix.Length]);
            AddGate(names, setting.RouterRank, stored, experts, taken);
            for (int e = 0; e < stored; e++)
            {
                taken.UnionWith([names.U(e), names.Svh(e), names.DenseWeight(e), names.Bias(e)]);
            }

            for (int i = 0; i < experts.Count; i++)
            {
                AddExpert(names, experts[i], i, setting.ExpertRank ?? int.MaxValue);
            }
        }

        foreach (TensorInfo tensor in fused.Tensors.Values.Where(tensor => !taken.Contains(tensor.Name)))
        {
            Add(tensor.Name, tensor.Name);
        }

        Tensors = _parts.Values.ToDictionary(part => part.Info.Name, part => part.Info);
        IReadOnlyList<string> known = fused.Config.GetStringList("expert_names", []);
        Config = fused.Config.With(new Dictionary<string, JsonNode?>
        {
            ["num_experts_per_tok"] = Math.Min(setting.ExpertsPerToken, experts.Count),
            ["rank_of_router"] = setting.RouterRank,
            ["rank_of_expert"] = setting.ExpertRank ?? -1,
            ["num_local_experts"] = experts.Count,
            ["expert_names"] = new JsonArray([.. experts.Where(e => e < known.Count).Select(e => JsonValue.Create(known[e]))]),
        });
    }

    public string Location => _fused.Location;

    public ModelConfig Config { get; }

    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }

    public void ReadFloats(string name, long start, Span<float> destination)
    {
        this.GetTensor(name);
        Part part = _parts[name];
        if (part.Rows is null)
        {
            _fused.ReadFloats(part.Stored, start, destination);
            return;
        }

        for (int done = 0; done < destination.Length;)
        {
            long row = (start + done) / part.Columns;
            int column = (int)((start + done) % part.Columns);
            int count = Math.Min(part.Columns - column, destination.Length - done);
            _fused.ReadFloats(part.Stored, ((long)part.Rows[row] * part.StoredColumns) + column, destination.Slice(done, count));
            done += count;
        }
    }

    public void ReadBytes(string name, long start, Span<byte> destination)
    {
        this.GetTensor(name);
        if (_parts[name].Rows is null)
        {
            _fused.ReadBytes(_parts[name].Stored, start, destination);
        }
        else
        {
            this.ReadComputedBytes(name, start, destination);
        }
    }

    public void Dispose()
    {
    }

    private void AddGate(RoutedLayerNames names, int routerRank, int stored, IReadOnlyList<int> experts, HashSet<string> taken)
    {
        if (!_fused.Tensors.TryGetValue(names.Gate, out TensorInfo? gate))
        {
            return;
        }

        taken.Add(names.Gate);
        int storedRank = checked((int)(gate.Shape[0] / stored));
        int rank = Math.Min(routerRank, storedRank);
        AddRows(names.Gate, gate, [.. experts.SelectMany(e => Enumerable.Range(e * storedRank, rank))], checked((int)gate.Shape[1]));
    }

    private void AddExpert(RoutedLayerNames names, int stored, int index, int rank)
    {
        if (_fused.Tensors.TryGetValue(names.U(stored), out TensorInfo? u) && _fused.Tensors.TryGetValue(names.Svh(stored), out TensorInfo? svh))
        {
            int kept = (int)Math.Min(rank, u.Shape[1]);
            AddRows(names.U(index), u, [.. Enumerable.Range(0, checked((int)u.Shape[0]))], kept);
            AddRows(names.Svh(index), svh, [.. Enumerable.Range(0, kept)], checked((int)svh.Shape[1]));
        }

        Add(names.DenseWeight(index), names.DenseWeight(stored));
        Add(names.Bias(index), names.Bias(stored));
    }

    private void AddRows(string name, TensorInfo stored, int[] rows, int columns)
        => _parts[name] = new Part(
            new TensorInfo(name, TensorType.F32, [rows.Length, columns]), stored.Name, rows, columns, checked((int)stored.Shape[1]));

    /// <summary>A tensor taken whole, where the fused model has it.</summary>
    private void Add(string name, string stored)
    {
        if (_fused.Tensors.TryGetValue(stored, out TensorInfo? info))
        {
            _parts[name] = new Part(info with { Name = name }, stored, null, 0, 0);
        }
    }

    /// <summary>Where a tensor's values are: all of a stored one, or the first columns of some of its rows.</summary>
    private sealed record Part(TensorInfo Info, string Stored, int[]? Rows, int Columns, int StoredColumns);
}

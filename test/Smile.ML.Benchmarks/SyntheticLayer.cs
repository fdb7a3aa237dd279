using Smile.ML.Compute;
using Smile.ML.Networks;
using Smile.ML.Routing;

namespace Smile.ML.Benchmarks;

/// <summary>A linear layer with pseudo-random weights on a backend, plain and routed, and an input for it.</summary>
internal sealed class SyntheticLayer : IDisposable
{
    private readonly ForwardPass _pass;
    private readonly List<IDisposable> _owned = [];
    private readonly Tensor _input;
    private readonly Linear _plain;
    private readonly Linear? _routed;
    private readonly Random _random = new(1);

    /// <summary>Creates the layer.</summary>
    /// <param name="backend">Where it runs.</param>
    /// <param name="outputs">Output features.</param>
    /// <param name="inputs">Input features.</param>
    /// <param name="tokens">Rows of the input.</param>
    /// <param name="experts">The experts of the routed layer, rank 32 with 16 router rows each; 0 for a plain layer only.</param>
    /// <param name="bfloat16">Whether the weights are rounded to bfloat16.</param>
    public SyntheticLayer(Backend backend, int outputs, int inputs, int tokens, int experts = 0, bool bfloat16 = false)
    {
        const int Rank = 32;
        const int RouterRank = 16;
        _pass = new ForwardPass(backend);
        _input = Own(backend.Rent(tokens, inputs));
        InputValues = Values(tokens * inputs, false);
        WeightValues = Values(outputs * inputs, bfloat16);
        backend.Upload(InputValues, _input);
        DenseWeights weights = Own(backend.LoadDense(outputs, inputs, Rows(WeightValues, inputs), new float[outputs]));
        _plain = new DenseLinear("plain", weights);
        if (experts == 0)
        {
            return;
        }

        DenseWeights gate = Own(backend.LoadDense(experts * RouterRank, inputs, Rows(Values(experts * RouterRank * inputs, bfloat16), inputs), null));
        ExpertDefinition[] definitions = [.. Enumerable.Range(0, experts).Select(_ => new ExpertDefinition
        {
            Rank = Rank,
            Up = Rows(Values(outputs * Rank, bfloat16), Rank),
            Down = Rows(Values(Rank * inputs, bfloat16), inputs),
            RouterScales = [.. Enumerable.Repeat(1f, RouterRank)],
        })];
        ExpertWeights loaded = Own(backend.LoadExperts(outputs, inputs, RouterRank, definitions));
        _routed = new RoutedLinear("routed", weights, gate, loaded, new SmileRouter(experts, 1));
    }

    /// <summary>Gets the input [tokens, inputs].</summary>
    public float[] InputValues { get; }

    /// <summary>Gets the weight [outputs, inputs].</summary>
    public float[] WeightValues { get; }

    public void RunPlain() => _plain.Forward(_pass, _input).Dispose();

    public void RunRouted() => _routed!.Forward(_pass, _input).Dispose();

    public void Dispose() => _owned.ForEach(item => item.Dispose());

    private T Own<T>(T item)
        where T : IDisposable
    {
        _owned.Add(item);
        return item;
    }

    private static RowReader Rows(float[] values, int columns)
        => (row, destination) => values.AsSpan(row * columns, destination.Length).CopyTo(destination);

    private float[] Values(int count, bool bfloat16)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            float value = (_random.NextSingle() - 0.5f) * 0.1f;
            values[i] = bfloat16 ? BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000) : value;
        }

        return values;
    }
}

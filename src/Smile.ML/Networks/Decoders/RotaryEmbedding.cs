using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks.Decoders;

/// <summary>
/// Rotary position embedding (arXiv 2104.09864): features i and i + size/2 of a head turn by position * frequency i. Angles are computed
/// in float64 and their cosines and sines rounded once.
/// </summary>
internal sealed class RotaryEmbedding
{
    private const double DefaultTheta = 10000;

    private static readonly Dictionary<string, Func<Unscaled, ModelConfig, RotaryEmbedding>> Scalings = new()
    {
        ["default"] = (plain, _) => new RotaryEmbedding(plain.Frequencies),
        ["dynamic"] = (plain, _) => new RotaryEmbedding(plain.Frequencies) { MaxPositions = plain.Config.GetInt32("max_position_embeddings", minimum: 1) },
        ["linear"] = (plain, scaling) => new RotaryEmbedding(ScaleLinearly(plain.Frequencies, scaling.GetDouble("factor", minimum: double.Epsilon))),
        ["llama3"] = (plain, scaling) => new RotaryEmbedding(ScaleAsLlama3(plain.Frequencies, scaling)),
        ["yarn"] = ScaleAsYarn,
    };

    private readonly double[] _frequencies;

    private RotaryEmbedding(double[] frequencies, double magnitude = 1) => (_frequencies, Magnitude) = (frequencies, magnitude);

    /// <summary>Gets the radians per position, for each pair of features.</summary>
    public IReadOnlyList<double> Frequencies => _frequencies;

    /// <summary>Gets what turned features are multiplied by.</summary>
    public double Magnitude { get; }

    /// <summary>
    /// Gets how many positions the frequencies hold for: with <c>dynamic</c> scaling, those of a longer text depend on its length, and they don't for
    /// the keys that a cache holds already.
    /// </summary>
    public int MaxPositions { get; private init; } = int.MaxValue;

    /// <summary>
    /// Reads frequency i = <c>rope_theta</c>^(-2i / head size), scaled as <c>rope_scaling</c> says; newer configs have both in
    /// <c>rope_parameters</c>.
    /// </summary>
    /// <exception cref="SmileException">The config asks for an unsupported scaling, or a frequency is not finite.</exception>
    public static RotaryEmbedding Read(ModelConfig config, int headSize)
    {
        double theta = config.GetDouble("rope_theta", DefaultTheta, minimum: double.Epsilon);
        string key = config.Has("rope_parameters") ? "rope_parameters" : "rope_scaling";
        ModelConfig? scaling = config.Has(key) ? config.GetSection(key) : null;
        theta = scaling?.GetDouble("rope_theta", theta, minimum: double.Epsilon) ?? theta;
        RequireWhole(config);
        var frequencies = new double[headSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            frequencies[i] = Math.Pow(theta, -2.0 * i / headSize);
        }

        RotaryEmbedding rotary = scaling is null
            ? new RotaryEmbedding(frequencies)
            : Scale(new Unscaled(frequencies, theta, config), scaling);
        return Array.TrueForAll(rotary._frequencies, double.IsFinite) && double.IsFinite(rotary.Magnitude)
            ? rotary
            : throw new SmileException(FormattableString.Invariant($"{config.Location}: rope_theta {theta} and its scaling give frequencies that are not finite."));
    }

    /// <summary>The cosines and sines of rows of tokens, as <see cref="Backend.Rotate"/> takes them: [positions, head size].</summary>
    /// <exception cref="SmileException">A position is beyond those that the frequencies hold for.</exception>
    public Tensor Angles(ForwardPass pass, ReadOnlySpan<int> positions)
    {
        int beyond = positions.IndexOfAnyExceptInRange(int.MinValue, MaxPositions - 1);
        if (beyond >= 0)
        {
            throw new SmileException(
                $"A text is longer than max_position_embeddings, {MaxPositions}, at position {positions[beyond]}; beyond, rope_type \"dynamic\" is not supported.");
        }

        int half = _frequencies.Length;
        var values = new float[positions.Length * 2 * half];
        for (int row = 0; row < positions.Length; row++)
        {
            Span<float> cosines = values.AsSpan(row * 2 * half, half);
            Span<float> sines = values.AsSpan((row * 2 * half) + half, half);
            for (int i = 0; i < half; i++)
            {
                (double sine, double cosine) = Math.SinCos(positions[row] * _frequencies[i]);
                cosines[i] = (float)(Magnitude * cosine);
                sines[i] = (float)(Magnitude * sine);
            }
        }

        Tensor angles = pass.Backend.Rent(positions.Length, 2 * half);
        pass.Backend.Upload(values, angles);
        return angles;
    }

    private static void RequireWhole(ModelConfig config)
    {
        double share = config.GetDouble("partial_rotary_factor", 1);
        if (share != 1)
        {
            throw new SmileException(FormattableString.Invariant($"{config.Location}: partial_rotary_factor is {share}; supported: 1."));
        }
    }

    private static RotaryEmbedding Scale(Unscaled plain, ModelConfig scaling)
    {
        // Configs from before "rope_type" call it "type".
        string kind = scaling.Has("rope_type") ? scaling.GetString("rope_type") : scaling.GetString("type");
        return Scalings.TryGetValue(kind, out Func<Unscaled, ModelConfig, RotaryEmbedding>? scale)
            ? scale(plain, scaling)
            : throw new SmileException(
                $"{scaling.Location}: rope_type is \"{ErrorText.Clip(kind)}\"; supported: {string.Join(", ", Scalings.Keys.Order(StringComparer.Ordinal))}.");
    }

    /// <summary>Position interpolation (arXiv 2306.15595): positions are divided by the factor.</summary>
    private static double[] ScaleLinearly(double[] frequencies, double factor) => [.. frequencies.Select(frequency => frequency / factor)];

    /// <summary>
    /// Llama 3.1's scaling, as Hugging Face's <c>_compute_llama3_parameters</c> has it: wavelengths that fitted the original context often
    /// stay, long ones are divided by the factor, those between pass smoothly from one to the other.
    /// </summary>
    private static double[] ScaleAsLlama3(double[] frequencies, ModelConfig scaling)
    {
        double factor = scaling.GetDouble("factor", minimum: double.Epsilon);
        double low = scaling.GetDouble("low_freq_factor", minimum: double.Epsilon);
        double high = scaling.GetDouble("high_freq_factor", minimum: double.Epsilon);
        int context = scaling.GetInt32("original_max_position_embeddings", minimum: 1);
        if (high <= low)
        {
            throw new SmileException(
                FormattableString.Invariant($"{scaling.Location}: high_freq_factor is {high}; expected more than low_freq_factor, which is {low}."));
        }

        return [.. frequencies.Select(frequency =>
        {
            double turns = context * frequency / (2 * Math.PI);
            double kept = Math.Clamp((turns - low) / (high - low), 0, 1);
            return (kept * frequency) + ((1 - kept) * frequency / factor);
        })];
    }

    /// <summary>
    /// YaRN (arXiv 2309.00071): pairs of features that turn often within the original context keep their frequency, those that turn seldom
    /// are divided by the factor, and those between go from one to the other with their index. All are multiplied by a magnitude, which
    /// stands for the paper's temperature.
    /// </summary>
    private static RotaryEmbedding ScaleAsYarn(Unscaled plain, ModelConfig scaling)
    {
        const string Context = "original_max_position_embeddings";
        double factor = scaling.GetDouble("factor", minimum: double.Epsilon);
        int context = scaling.Has(Context) ? scaling.GetInt32(Context, minimum: 1) : plain.Config.GetInt32("max_position_embeddings", minimum: 1);
        double fast = IndexOf(scaling.GetDouble("beta_fast", 32, minimum: double.Epsilon));
        double slow = IndexOf(scaling.GetDouble("beta_slow", 1, minimum: double.Epsilon));
        if (scaling.GetBoolean("truncate", true))
        {
            (fast, slow) = (Math.Floor(fast), Math.Ceiling(slow));
        }

        int size = 2 * plain.Frequencies.Length;
        (fast, slow) = (Math.Max(fast, 0), Math.Min(slow, size - 1));
        double width = slow == fast ? 0.001 : slow - fast;
        double[] frequencies = [.. plain.Frequencies.Select((frequency, i) =>
        {
            double divided = Math.Clamp((i - fast) / width, 0, 1);
            return (divided * frequency / factor) + ((1 - divided) * frequency);
        })];
        return new RotaryEmbedding(frequencies, scaling.Has("attention_factor") ? scaling.GetDouble("attention_factor") : DefaultMagnitude());

        // The (fractional) index of the pair that turns so many times within the context.
        double IndexOf(double turns) => plain.Frequencies.Length * Math.Log(context / (turns * 2 * Math.PI)) / Math.Log(plain.Theta);

        double DefaultMagnitude()
            => scaling.Has("mscale") && scaling.Has("mscale_all_dim")
                ? Logarithmic(scaling.GetDouble("mscale")) / Logarithmic(scaling.GetDouble("mscale_all_dim"))
                : Logarithmic(1);

        double Logarithmic(double weight) => factor <= 1 ? 1 : (0.1 * weight * Math.Log(factor)) + 1;
    }

    /// <summary>What a scaling starts from.</summary>
    /// <param name="Frequencies">The frequencies.</param>
    /// <param name="Theta">What they are powers of.</param>
    /// <param name="Config">The model's configuration.</param>
    private sealed record Unscaled(double[] Frequencies, double Theta, ModelConfig Config);
}

using Smile.ML.Checkpoints;
using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>The names that Hugging Face configs give to nonlinearities.</summary>
internal static class HiddenActivation
{
    private static readonly Dictionary<string, Activation> ByName = new()
    {
        ["relu"] = Activation.Relu,
        ["gelu"] = Activation.Gelu,
        ["gelu_python"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluTanh,
        ["gelu_fast"] = Activation.GeluTanh,
        ["gelu_accurate"] = Activation.GeluTanh,
        ["gelu_pytorch_tanh"] = Activation.GeluTanh,
        ["quick_gelu"] = Activation.QuickGelu,
        ["silu"] = Activation.Silu,
        ["swish"] = Activation.Silu,
        ["tanh"] = Activation.Tanh,
    };

    /// <summary>Reads a nonlinearity from a config.</summary>
    /// <exception cref="SmileException">It names an unsupported one.</exception>
    public static Activation Read(ModelConfig config, string key, string fallback) => Parse(config, key, config.GetString(key, fallback));

    /// <summary>Gets the nonlinearity of a name; null where it is an unsupported one.</summary>
    public static Activation? TryParse(string name) => ByName.TryGetValue(name, out Activation activation) ? activation : null;

    /// <summary>Gets the nonlinearity of a name that a config's value gives.</summary>
    /// <param name="config">The config.</param>
    /// <param name="key">The value's key, for the error.</param>
    /// <param name="name">The nonlinearity's name.</param>
    /// <exception cref="SmileException">It is an unsupported one.</exception>
    public static Activation Parse(ModelConfig config, string key, string name)
        => TryParse(name)
            ?? throw new SmileException(
                $"{config.Location}: {key} asks for \"{ErrorText.Clip(name)}\"; supported: {string.Join(", ", ByName.Keys.Order(StringComparer.Ordinal))}.");
}

namespace Smile.ML.Compute;

/// <summary>The element-wise nonlinearities of the networks; names as in Hugging Face configs.</summary>
internal enum Activation
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x Phi(x), by the error function.</summary>
    Gelu,

    /// <summary>The tanh form of GELU: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).</summary>
    GeluTanh,

    /// <summary>x sigmoid(1.702 x).</summary>
    QuickGelu,

    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>tanh(x).</summary>
    Tanh,
}

namespace Microsoft.ML;

/// <summary>Declares, on an assembly, a class that the component catalog can create by name.</summary>
/// <param name="instType">What is created.</param>
/// <param name="loaderType">The class with the constructor or method that creates it.</param>
/// <param name="argType">The type of its options; null where it has none.</param>
/// <param name="sigType">The delegate type that stands for the kind of class.</param>
/// <param name="userName">A name for people.</param>
/// <param name="loadNames">The names to find it by.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
#pragma warning disable CS9113 // Declarations only: the parameters are read by the real class.
public sealed class LoadableClassAttribute(
    Type instType, Type loaderType, Type? argType, Type sigType, string userName, params string[] loadNames) : Attribute;
#pragma warning restore CS9113

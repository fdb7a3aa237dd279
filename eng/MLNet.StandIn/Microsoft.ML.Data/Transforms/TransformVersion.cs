namespace Microsoft.ML.Data;

internal static class TransformVersion
{
    private const uint First = 0x00010001;

    /// <summary>The first version of a transformer of this assembly.</summary>
    public static VersionInfo Of(string modelSignature, string loaderSignature)
        => new(modelSignature, First, First, First, typeof(TransformVersion).Assembly.GetName().Name, loaderSignature);
}

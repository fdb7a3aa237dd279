using System.Text;

namespace Microsoft.ML;

/// <summary>What a model is, which versions can read it, and who loads it.</summary>
internal readonly struct VersionInfo
{
    public readonly string ModelSignature;
    public readonly uint VerWrittenCur;
    public readonly uint VerReadableCur;
    public readonly uint VerWeCanReadBack;
    public readonly string LoaderAssemblyName;
    public readonly string LoaderSignature;
    public readonly string LoaderSignatureAlt;

    public VersionInfo(
        string modelSignature,
        uint verWrittenCur,
        uint verReadableCur,
        uint verWeCanReadBack,
        string loaderAssemblyName,
        string loaderSignature = null,
        string loaderSignatureAlt = null)
    {
        if (modelSignature?.Length != 8 || !IsLatin1(modelSignature))
        {
            throw new InvalidOperationException($"A model signature has exactly 8 Latin-1 characters, unlike '{modelSignature}'.");
        }
        CheckLoaderSignature(loaderSignature);
        CheckLoaderSignature(loaderSignatureAlt);
        ModelSignature = modelSignature;
        VerWrittenCur = verWrittenCur;
        VerReadableCur = verReadableCur;
        VerWeCanReadBack = verWeCanReadBack;
        LoaderAssemblyName = loaderAssemblyName;
        LoaderSignature = loaderSignature;
        LoaderSignatureAlt = loaderSignatureAlt;
    }

    private static void CheckLoaderSignature(string signature)
    {
        if (signature is { Length: > 24 } || !IsLatin1(signature))
        {
            throw new InvalidOperationException($"A loader signature has at most 24 Latin-1 characters, unlike '{signature}'.");
        }
    }

    private static bool IsLatin1(string text) => text is null || Encoding.Latin1.GetString(Encoding.Latin1.GetBytes(text)) == text;
}

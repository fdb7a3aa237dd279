using System.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>The head of a Model.key entry. Its first bytes differ from ML.NET's, so neither reads the other's models by mistake.</summary>
internal sealed record ModelHeader(
    string ModelSignature, uint VersionWritten, uint VersionReadable, string LoaderAssemblyName, string LoaderSignature, string LoaderSignatureAlt)
{
    private static readonly byte[] Magic = "MLStndIn"u8.ToArray();
    private static readonly byte[] MLNetMagic = "ML\0MODEL"u8.ToArray();

    public ModelHeader(in VersionInfo version)
        : this(
            version.ModelSignature,
            version.VerWrittenCur,
            version.VerReadableCur,
            version.LoaderAssemblyName ?? "",
            version.LoaderSignature ?? "",
            version.LoaderSignatureAlt ?? "")
    {
    }

    public void Write(BinaryWriter writer)
    {
        writer.Write(Magic);
        writer.Write(Encoding.Latin1.GetBytes(ModelSignature));
        writer.Write(VersionWritten);
        writer.Write(VersionReadable);
        writer.Write(LoaderAssemblyName);
        writer.Write(LoaderSignature);
        writer.Write(LoaderSignatureAlt);
    }

    /// <exception cref="FormatException">The stand-in did not write this.</exception>
    public static ModelHeader Read(BinaryReader reader)
    {
        byte[] magic = reader.ReadBytes(Magic.Length);
        if (magic.AsSpan().SequenceEqual(MLNetMagic))
        {
            throw Contracts.Mark(new FormatException("The model was written by Microsoft.ML; this is the ML.NET stand-in, which reads only what it wrote itself."));
        }
        if (!magic.AsSpan().SequenceEqual(Magic))
        {
            throw Contracts.Mark(new FormatException("Corrupt model file: it does not begin with a model header."));
        }
        return new(
            Encoding.Latin1.GetString(reader.ReadBytes(8)),
            reader.ReadUInt32(),
            reader.ReadUInt32(),
            reader.ReadString(),
            reader.ReadString(),
            reader.ReadString());
    }

    /// <exception cref="FormatException">The model is of another kind, too new or too old.</exception>
    public void Check(in VersionInfo expected)
    {
        if (ModelSignature != expected.ModelSignature)
        {
            throw Contracts.Mark(new FormatException($"Unknown file type: expected a model '{expected.ModelSignature}', found '{ModelSignature}'."));
        }
        if (VersionReadable > expected.VerWrittenCur)
        {
            throw Contracts.Mark(new FormatException($"The model '{ModelSignature}' is too new: it needs version {VersionReadable:x8}, this is {expected.VerWrittenCur:x8}."));
        }
        if (VersionWritten < expected.VerWeCanReadBack)
        {
            throw Contracts.Mark(new FormatException($"The model '{ModelSignature}' is too old: it has version {VersionWritten:x8}, the oldest readable is {expected.VerWeCanReadBack:x8}."));
        }
    }
}

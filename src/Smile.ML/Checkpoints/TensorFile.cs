namespace Smile.ML.Checkpoints;

/// <summary>Reads and writes all tensors of a small safetensors file at once.</summary>
public static class TensorFile
{
    /// <summary>
    /// Reads all tensors: floating-point types as float32, integer types as 64-bit integers. Where that is wasteful, e.g. for images
    /// of bytes, open a <see cref="SafetensorsFile"/> and read the tensor's bytes.
    /// </summary>
    /// <param name="path">The file's path.</param>
    /// <returns>The tensors by name.</returns>
    /// <exception cref="SmileException">The file cannot be read or is not a valid safetensors file.</exception>
    public static Dictionary<string, HostTensor> Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return file.Tensors.Values.ToDictionary(
            tensor => tensor.Name,
            tensor => tensor.Type.IsFloatingPoint()
                ? HostTensor.FromFloats(tensor.Shape, file.ReadFloats(tensor.Name))
                : HostTensor.FromIntegers(tensor.Shape, file.ReadIntegers(tensor.Name)),
            StringComparer.Ordinal);
    }

    /// <summary>Writes tensors, replacing a file that is there. The file gets its name only when it is complete.</summary>
    /// <param name="path">The file's path. Missing parent folders are created.</param>
    /// <param name="tensors">The tensors by name.</param>
    /// <exception cref="SmileException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyDictionary<string, HostTensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);

        // Larger elements first: every tensor is then aligned to its own element size.
        TensorInfo[] infos = [.. tensors
            .Select(pair => new TensorInfo(pair.Key, pair.Value.Type, pair.Value.Shape))
            .OrderByDescending(tensor => tensor.Type.Size())
            .ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];

        using var output = StagedOutput.Create(path);
        using (var writer = new SafetensorsWriter(output.TemporaryPath, SafetensorsWriter.HeaderBound(infos), output.FinalPath))
        {
            foreach (TensorInfo tensor in infos)
            {
                if (tensors[tensor.Name].Floats is { } floats)
                {
                    writer.WriteFloats(tensor, floats);
                }
                else
                {
                    writer.WriteIntegers(tensor, tensors[tensor.Name].Integers);
                }
            }

            writer.Finish();
        }

        output.PublishFile();
    }
}

namespace Microsoft.ML.Data;

internal static class BinaryExtensions
{
    public static void WriteStrings(this BinaryWriter writer, IReadOnlyCollection<string> values)
    {
        writer.Write(values.Count);
        foreach (string value in values)
        {
            writer.Write(value);
        }
    }

    public static string[] ReadStrings(this BinaryReader reader)
    {
        var values = new List<string>();
        for (int count = reader.ReadInt32(); count > 0; count--)
        {
            values.Add(reader.ReadString());
        }
        return [.. values];
    }
}

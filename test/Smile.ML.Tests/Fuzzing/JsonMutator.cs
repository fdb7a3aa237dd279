using System.Text;
using System.Text.Json.Nodes;

namespace Smile.ML.Tests.Fuzzing;

/// <summary>Puts hostile values into JSON that stays JSON, mostly.</summary>
internal static class JsonMutator
{
    private const string Placeholder = "@raw@";

    // Written as they are, so that values can be tried that no JSON library would write.
    private static readonly string[] Hostile =
    [
        "0", "1", "-1", "2", "3", "5", "16", "127", "255", "1024", "46341", "65536", "1000000", "16777216", "1073741824", "2147483647", "2147483648",
        "-2147483648", "4294967296", "4294967297", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e400", "1e300", "1e-300", "1.5", "-0.0",
        "NaN", "Infinity", "-Infinity", "null", "true", "false", "\"\"", "\"x\"", "\"NaN\"", "\"../x\"", "\"/etc/passwd\"", "\"\\ud800\"", "\"\\u0000\"",
        "[]", "{}", "[1]", "[null]", "{\"type\":\"linear\",\"factor\":2}", "[\"full_attention\"]", "[-1,2147483647]", "(", "\"(a+)+$\"", "\".*\"", "\"[\"",
        new string('[', 100) + new string(']', 100), "\"" + new string('x', 5000) + "\"",
        "-0", "1.0", "1E2", "0.1e1", "1e-400", "-1e400", "0000", "1e999999999999", "[[1]]", "[1.5]", "[\"1\"]", "[0,0,0,0,0,0,0,0,0]", "\"\u202e\u001b[2J\"", "\"\\u001b]0;x\"",
        "\"\ufeff\"", "\"\u0130\ud83d\ude00\"", "\"F16\"", "\"BF16\"", "\"F64\"", "\"I8\"", "\"U8\"", "\"BOOL\"", "\"I64\"", "\"f32\"", "\"a{2147483647}\"", "\"(?i)((x+)+)+y\"",
        string.Concat(Enumerable.Repeat("{\"a\":", 62)) + "1" + new string('}', 62), string.Concat(Enumerable.Repeat("[", 62)) + new string(']', 62),
    ];

    /// <summary>Changes one or a few members.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="json">An object; it is not changed.</param>
    /// <param name="keys">Names to add members under, where a member is added or renamed.</param>
    public static byte[] Mutate(Random random, JsonObject json, IReadOnlyList<string> keys)
    {
        JsonObject copy = json.DeepClone().AsObject();
        var raw = new List<string>();
        bool duplicate = false;
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            JsonObject place = Pick(random, copy);
            string key = place.Count > 0 && random.Next(5) > 0 ? place.ElementAt(random.Next(place.Count)).Key : keys[random.Next(keys.Count)];
            switch (random.Next(12))
            {
                case 10 when place.Count > 1:
                    // Two members change places.
                    (string Name, JsonNode? Value) other = (place.ElementAt(random.Next(place.Count)).Key, null);
                    if (place.ContainsKey(key))
                    {
                        other.Value = place[other.Name]?.DeepClone();
                        place[other.Name] = place[key]?.DeepClone();
                        place[key] = other.Value;
                    }

                    break;
                case 11 when place.ContainsKey(key):
                    // A key that differs in case, or in a character that isn't seen.
                    place[random.Next(2) == 0 ? key.ToUpperInvariant() : key + "\u200b"] = place[key]?.DeepClone();
                    break;
                case 0:
                    place.Remove(key);
                    break;
                case 1 when place.Count > 0:
                    place[key] = place.ElementAt(random.Next(place.Count)).Value?.DeepClone();
                    break;
                case 2 when place[key] is JsonValue value && value.TryGetValue(out long number):
                    place[key] = random.Next(4) switch { 0 => number + 1, 1 => number - 1, 2 => number * 2, _ => number / 2 };
                    break;
                case 3 when place[key] is JsonArray { Count: > 0 } array:
                    array[random.Next(array.Count)] = NewPlaceholder(raw, Hostile[random.Next(Hostile.Length)]);
                    break;
                case 4 when random.Next(4) == 0:
                    duplicate = true;
                    break;
                default:
                    place[key] = NewPlaceholder(raw, Hostile[random.Next(Hostile.Length)]);
                    break;
            }
        }

        var text = new StringBuilder(copy.ToJsonString());
        for (int i = 0; i < raw.Count; i++)
        {
            text.Replace($"\"{Placeholder}{i}@\"", raw[i]);
        }

        if (duplicate)
        {
            Duplicate(random, text);
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Writes an object's first key twice.</summary>
    private static void Duplicate(Random random, StringBuilder text)
    {
        string before = text.ToString();
        int at = before.IndexOf("{\"", random.Next(before.Length), StringComparison.Ordinal);
        at = at < 0 ? before.IndexOf("{\"", StringComparison.Ordinal) : at;
        if (at >= 0 && before.IndexOf('"', at + 2) is > 0 and var end)
        {
            text.Insert(at + 1, before[(at + 1)..(end + 1)] + ":1,");
        }
    }

    private static string NewPlaceholder(List<string> raw, string value)
    {
        raw.Add(value);
        return $"{Placeholder}{raw.Count - 1}@";
    }

    /// <summary>The object itself or one inside it.</summary>
    private static JsonObject Pick(Random random, JsonObject json)
    {
        JsonObject[] inner = [.. json.Select(member => member.Value).OfType<JsonObject>()];
        return inner.Length > 0 && random.Next(2) == 0 ? Pick(random, inner[random.Next(inner.Length)]) : json;
    }
}

using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;

namespace Smile.ML.Checkpoints;

/// <summary>
/// A model's <c>config.json</c> (or another JSON object beside a model) as typed values. A key whose value is JSON null counts as
/// absent. Immutable; safe to read from several threads at once.
/// </summary>
public sealed class ModelConfig
{
    /// <summary>The name that Hugging Face gives the file.</summary>
    public const string FileName = "config.json";

    private const int MaxFileLength = 16 << 20;

    private static readonly JsonSerializerOptions WriteOptions = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly JsonElement _root;

    private ModelConfig(JsonElement root, string location)
    {
        _root = root;
        Location = location;
    }

    /// <summary>Gets what error messages call this object: the file's path, for a section followed by its key.</summary>
    public string Location { get; }

    /// <summary>Gets the architecture's name, the value of <c>model_type</c>.</summary>
    /// <exception cref="SmileException">The key is absent or its value is not a string.</exception>
    public string ModelType => GetString("model_type");

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file's path.</param>
    /// <returns>Its content.</returns>
    /// <exception cref="SmileException">
    /// The file cannot be read, is longer than 16 MiB, or is not one JSON object (which excludes duplicate keys, NaN and Infinity).
    /// </exception>
    public static ModelConfig Load(string path)
    {
        ReadOnlyMemory<byte> json = RegularFile.ReadAllBytes(path, MaxFileLength);
        ReadOnlySpan<byte> byteOrderMark = [0xEF, 0xBB, 0xBF];
        return Parse(json.Span.StartsWith(byteOrderMark) ? json[byteOrderMark.Length..] : json, path);
    }

    /// <summary>Parses JSON text.</summary>
    /// <param name="json">One JSON object.</param>
    /// <param name="location">What error messages call it.</param>
    /// <returns>The object.</returns>
    /// <exception cref="SmileException">The text is not one JSON object (which excludes duplicate keys, NaN and Infinity).</exception>
    public static ModelConfig Parse(string json, string location)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(location);
        return Parse(Encoding.UTF8.GetBytes(json), location);
    }

    /// <summary>Tells whether a key has a value other than null.</summary>
    /// <param name="key">The key.</param>
    /// <returns>False when the key is absent or its value is null.</returns>
    public bool Has(string key) => TryGet(key, out _);

    /// <summary>Tells whether a key is there with the value null, which some configs mean as a value.</summary>
    /// <param name="key">The key.</param>
    /// <returns>False when the key is absent or has another value.</returns>
    public bool IsNull(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _root.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Null;
    }

    /// <summary>Finds a value of any kind.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The value, never null.</param>
    /// <returns>False when the key is absent or its value is null.</returns>
    public bool TryGet(string key, out JsonElement value)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _root.TryGetProperty(key, out value) && value.ValueKind != JsonValueKind.Null;
    }

    /// <summary>Gets an integer.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <param name="minimum">The smallest value accepted.</param>
    /// <param name="maximum">The largest value accepted.</param>
    /// <returns>The value.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not an integer in the range.</exception>
    public int GetInt32(string key, int? defaultValue = null, int minimum = int.MinValue, int maximum = int.MaxValue)
        => Find(key, defaultValue is not null, out JsonElement value) ? ToInt32(key, value, minimum, maximum) : defaultValue.GetValueOrDefault();

    /// <summary>Gets a finite number.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <param name="minimum">The smallest value accepted.</param>
    /// <param name="maximum">The largest value accepted.</param>
    /// <returns>The value.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not a finite number in the range.</exception>
    public double GetDouble(
        string key, double? defaultValue = null, double minimum = double.MinValue, double maximum = double.MaxValue)
    {
        if (!Find(key, defaultValue is not null, out JsonElement value))
        {
            return defaultValue.GetValueOrDefault();
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= minimum && number <= maximum
            ? number
            : throw Unexpected(key, value, "a finite number" + Range(minimum, double.MinValue, maximum, double.MaxValue));
    }

    /// <summary>Gets a string.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <returns>The value.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not a string.</exception>
    public string GetString(string key, string? defaultValue = null)
        => Find(key, defaultValue is not null, out JsonElement value) ? ToText(key, value) : defaultValue!;

    /// <summary>Gets a truth value.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <returns>The value.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not true or false.</exception>
    public bool GetBoolean(string key, bool? defaultValue = null)
    {
        if (!Find(key, defaultValue is not null, out JsonElement value))
        {
            return defaultValue.GetValueOrDefault();
        }

        return value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Unexpected(key, value, "true or false"),
        };
    }

    /// <summary>Gets a list of integers.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <param name="minimum">The smallest element accepted.</param>
    /// <param name="maximum">The largest element accepted.</param>
    /// <returns>The elements.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not a list of integers in the range.</exception>
    public IReadOnlyList<int> GetInt32List(
        string key, IReadOnlyList<int>? defaultValue = null, int minimum = int.MinValue, int maximum = int.MaxValue)
        => Find(key, defaultValue is not null, out JsonElement value)
            ? [.. Elements(key, value, "a list of integers").Select(element => ToInt32(key, element, minimum, maximum))]
            : defaultValue!;

    /// <summary>Gets a list of strings.</summary>
    /// <param name="key">The key.</param>
    /// <param name="defaultValue">The result when the key is absent; without it, the key is required.</param>
    /// <returns>The elements.</returns>
    /// <exception cref="SmileException">The key is required and absent, or its value is not a list of strings.</exception>
    public IReadOnlyList<string> GetStringList(string key, IReadOnlyList<string>? defaultValue = null)
        => Find(key, defaultValue is not null, out JsonElement value)
            ? [.. Elements(key, value, "a list of strings").Select(element => ToText(key, element))]
            : defaultValue!;

    /// <summary>Gets a nested object, e.g. <c>vision_config</c>.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The object; its messages name the file and this key.</returns>
    /// <exception cref="SmileException">The key is absent or its value is not an object.</exception>
    public ModelConfig GetSection(string key)
    {
        Find(key, optional: false, out JsonElement value);
        return value.ValueKind == JsonValueKind.Object
            ? new ModelConfig(value, $"{Location}: {key}")
            : throw Unexpected(key, value, "an object");
    }

    /// <summary>Makes a copy with changed values, for writing. Changed keys keep their places; new ones follow at the end.</summary>
    /// <param name="changes">The keys and their new values; null writes JSON null.</param>
    /// <returns>The copy, with the same <see cref="Location"/>.</returns>
    public ModelConfig With(IEnumerable<KeyValuePair<string, JsonNode?>> changes)
    {
        ArgumentNullException.ThrowIfNull(changes);
        JsonObject copy = JsonObject.Create(_root)!;
        foreach ((string key, JsonNode? value) in changes)
        {
            copy[key] = value?.DeepClone();
        }

        return new ModelConfig(JsonSerializer.SerializeToElement(copy, WriteOptions), Location);
    }

    /// <summary>Writes the object as indented JSON, its keys in their original order.</summary>
    /// <returns>The text, which ends with a line feed.</returns>
    public string ToJson() => JsonSerializer.Serialize(_root, WriteOptions) + "\n";

    private static ModelConfig Parse(ReadOnlyMemory<byte> json, string location)
    {
        if (!Utf8.IsValid(json.Span))
        {
            throw new SmileException($"{location}: is not valid UTF-8.");
        }

        JsonElement root;
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            root = document.RootElement.Clone();
            ReadStrings(json.Span);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a key or a string with an escaped half of a surrogate pair.
            throw new SmileException($"{location}: is not valid JSON: {ErrorText.Clip(e.Message)}", e);
        }

        return root.ValueKind == JsonValueKind.Object
            ? new ModelConfig(root, location)
            : throw new SmileException($"{location}: found JSON {root.ValueKind}; expected an object.");
    }

    /// <summary>Reads every string that could fail to be read later, when nobody expects it.</summary>
    private static void ReadStrings(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.String && reader.ValueIsEscaped)
            {
                reader.GetString();
            }
        }
    }

    private bool Find(string key, bool optional, out JsonElement value)
    {
        bool found = TryGet(key, out value);
        return found || optional ? found : throw new SmileException($"{Location}: the key '{key}' is missing.");
    }

    private int ToInt32(string key, JsonElement value, int minimum, int maximum)
        => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= minimum && number <= maximum
            ? number
            : throw Unexpected(key, value, "an integer" + Range(minimum, int.MinValue, maximum, int.MaxValue));

    private string ToText(string key, JsonElement value)
        => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Unexpected(key, value, "a string");

    private JsonElement.ArrayEnumerator Elements(string key, JsonElement value, string expected)
        => value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Unexpected(key, value, expected);

    private SmileException Unexpected(string key, JsonElement value, string expected)
        => new($"{Location}: key '{key}': found {ErrorText.Clip(value.GetRawText())}; expected {expected}.");

    private static string Range<T>(T minimum, T least, T maximum, T most)
        where T : IComparable<T>, IFormattable
    {
        string lower = minimum.CompareTo(least) > 0 ? FormattableString.Invariant($", at least {minimum}") : string.Empty;
        return maximum.CompareTo(most) < 0 ? lower + FormattableString.Invariant($", at most {maximum}") : lower;
    }
}

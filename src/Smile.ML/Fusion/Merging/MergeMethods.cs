namespace Smile.ML.Fusion.Merging;

/// <summary>The registry of merge methods. A new one is a file of its own and a line here.</summary>
public static class MergeMethods
{
    /// <summary>Gets every method with its default parameters.</summary>
    public static IReadOnlyList<MergeMethod> All { get; } =
    [
        new SimpleAverage(),
        new WeightedAverage(),
        new TaskArithmetic(),
        new Ties(),
        new Dare(),
        new Breadcrumbs(),
        new Della(),
        new MagMax(),
        new Consensus(),
        new TrustRegion(),
        new Slerp(),
        new ModelStock(),
        new TaskSingularVectors(),
        new IsoC(),
        new IsoCts(),
        new Knots(),
        new Wudi(),
        new LoraCat(),
        new SubspaceBoosting(),
        new SingularValueCalibration(),
    ];

    /// <summary>Gets a method by name.</summary>
    /// <param name="name">The method's name, e.g. <c>ties</c>.</param>
    /// <param name="parameters">Names and values of the parameters that differ from their defaults; or null.</param>
    /// <returns>The method.</returns>
    /// <exception cref="SmileException">There is no such method or parameter, a parameter is given twice, or a value is not as it must be.</exception>
    public static MergeMethod Create(string name, IEnumerable<KeyValuePair<string, string>>? parameters = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        MergeMethod method = Find(name) ?? throw new SmileException($"There is no merge method {name}; there are {string.Join(", ", All.Select(known => known.Name))}.");

        // A nested method before its parameters: "over" before "over.scale".
        var given = new HashSet<string>();
        foreach ((string parameter, string value) in (parameters ?? []).OrderBy(pair => pair.Key.Count(letter => letter == '.')))
        {
            method = given.Add(parameter) ? method.Set(parameter, value) : throw new SmileException($"{name}: {parameter} is given twice.");
        }

        method.Validate();
        return method;
    }

    /// <summary>Gets a method from its text, the inverse of <see cref="MergeMethod.ToString"/>.</summary>
    /// <param name="text">The method's name and any parameters, separated by spaces, e.g. <c>ties keep=0.3 scale=1</c>.</param>
    /// <returns>The method.</returns>
    /// <exception cref="SmileException">As for <see cref="Create"/>, or something after the name is not <c>name=value</c>.</exception>
    public static MergeMethod Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return Create(words.FirstOrDefault() ?? "", words.Skip(1).Select(ParsePair));
    }

    internal static MergeMethod? Find(string name) => All.FirstOrDefault(method => method.Name == name);

    private static KeyValuePair<string, string> ParsePair(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0
            ? KeyValuePair.Create(text[..equals], text[(equals + 1)..])
            : throw new SmileException($"Found the parameter {text}; expected name=value.");
    }
}

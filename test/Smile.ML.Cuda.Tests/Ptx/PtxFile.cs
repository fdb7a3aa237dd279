using System.Globalization;
using System.Text.RegularExpressions;

namespace Smile.ML.Cuda.Tests.Ptx;

/// <summary>A PTX file's kernels: what each declares, and its instructions. Reads as much of the language as the kernels use.</summary>
internal sealed partial class PtxFile
{
    private const int StaticSharedLimit = 48 << 10;
    private readonly Dictionary<string, (string Class, int Count)> _registers = [];
    private readonly HashSet<string> _variables = [];
    private readonly HashSet<string> _labels = [];

    /// <summary>Gets the declared version, times 10.</summary>
    public int Version { get; private set; }

    /// <summary>Gets the declared target, sm_ and this number.</summary>
    public int Target { get; private set; }

    /// <summary>Gets all opcodes and how often each occurs.</summary>
    public Dictionary<string, int> Opcodes { get; } = [];

    /// <summary>Checks a file.</summary>
    /// <returns>What is wrong, with line numbers.</returns>
    public IReadOnlyList<string> Check(string text)
    {
        var problems = new List<string>();
        string[] lines = [.. text.Split('\n').Select(line => Comment().Replace(line, string.Empty).Trim())];
        int shared = 0;
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Contains(".entry", StringComparison.Ordinal))
            {
                // A kernel's names are its own; its labels may be used before they come.
                _registers.Clear();
                _labels.Clear();
                shared = 0;
                for (int j = i + 1; j < lines.Length && !lines[j].Contains(".entry", StringComparison.Ordinal); j++)
                {
                    if (Label().Match(lines[j]) is { Success: true } label && !_labels.Add(label.Groups[1].Value))
                    {
                        problems.Add($"line {j + 1}: {label.Groups[1].Value} stands twice");
                    }
                }
            }

            if (CheckLine(lines, ref i, ref shared) is { } problem)
            {
                problems.Add($"line {i + 1}: {problem}");
            }
        }

        return problems;
    }

    /// <summary>Gets the class of a register: .pred, .b16, .b32 or .b64; null where it is not declared.</summary>
    public string? ClassOf(string operand)
        => Register().Match(operand) is { Success: true } match
            && _registers.TryGetValue(match.Groups[1].Value, out (string Class, int Count) declared)
            && int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) < declared.Count
                ? declared.Class
                : null;

    /// <summary>Tells whether a parameter or a variable in shared memory has this name.</summary>
    public bool IsVariable(string operand) => _variables.Contains(operand);

    /// <summary>Tells whether the kernel has this label.</summary>
    public bool IsLabel(string operand) => _labels.Contains(operand);

    private string? CheckLine(string[] lines, ref int index, ref int shared)
    {
        string line = lines[index];
        if (line.Length == 0 || line is "{" or "}" or ")" || Label().IsMatch(line) || line.Contains(".entry", StringComparison.Ordinal))
        {
            return null;
        }

        if (line[0] == '.')
        {
            return CheckDirective(line, ref shared);
        }

        // Some instructions take several lines.
        while (!line.EndsWith(';') && index + 1 < lines.Length)
        {
            line += " " + lines[++index];
        }

        Match match = Instruction().Match(line);
        if (!match.Success)
        {
            return $"can't be read: {line}";
        }

        if (match.Groups["guard"] is { Success: true } guard && ClassOf(guard.Value) != ".pred")
        {
            return $"{guard.Value} is no predicate";
        }

        string opcode = match.Groups["opcode"].Value;
        Opcodes[opcode] = Opcodes.GetValueOrDefault(opcode) + 1;
        return PtxForms.Check(opcode, [.. Operand().Matches(match.Groups["operands"].Value).Select(operand => operand.Value.Trim())], this);
    }

    private string? CheckDirective(string line, ref int shared)
    {
        if (Directive().Match(line) is not { Success: true } match)
        {
            return $"can't be read: {line}";
        }

        GroupCollection groups = match.Groups;
        if (groups["version"].Success)
        {
            Version = int.Parse(groups["version"].Value.Replace(".", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture);
        }
        else if (groups["target"].Success)
        {
            Target = int.Parse(groups["target"].Value, CultureInfo.InvariantCulture);
        }
        else if (groups["class"].Success)
        {
            _registers[groups["prefix"].Value] = (groups["class"].Value, int.Parse(groups["count"].Value, CultureInfo.InvariantCulture));
        }
        else if (groups["variable"].Success)
        {
            _variables.Add(groups["variable"].Value);
            shared += groups["bytes"].Length > 0 ? int.Parse(groups["bytes"].Value, CultureInfo.InvariantCulture) : 0;
            return shared > StaticSharedLimit ? $"{shared} bytes of shared memory are declared, {StaticSharedLimit} are allowed" : null;
        }
        else if (groups["parameter"].Success)
        {
            _variables.Add(groups["parameter"].Value);
        }

        return null;
    }

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^(\$\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"^(%[a-z]+)(\d+)$")]
    private static partial Regex Register();

    [GeneratedRegex(@"^(?:@!?(?<guard>%p\d+)\s+)?(?<opcode>[a-z][\w.]*)\s*(?<operands>[^;]*);$")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"\{[^}]*\}|[^,\s][^,]*")]
    private static partial Regex Operand();

    [GeneratedRegex(
        @"^(?:\.version (?<version>\d\.\d)|\.target sm_(?<target>\d+)|\.address_size 64|\.maxntid \d+|\.pragma ""nounroll"";|"
        + @"\.reg (?<class>\.\w+)\s+(?<prefix>%[a-z]+)<(?<count>\d+)>;|"
        + @"(?:\.extern )?\.shared \.align \d+ \.b8 (?<variable>\w+)\[(?<bytes>\d*)\];|"
        + @"\.param (?:\.u64 \.ptr \.align \d+|\.[fsu]\d+|\.align \d+ \.b8) (?<parameter>\w+)(?:\[\d+\])?,?)$")]
    private static partial Regex Directive();
}

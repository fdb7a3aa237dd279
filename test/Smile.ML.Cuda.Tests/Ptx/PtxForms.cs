using System.Globalization;
using System.Text.RegularExpressions;

namespace Smile.ML.Cuda.Tests.Ptx;

/// <summary>
/// The instructions that the kernels may use, after NVIDIA's PTX ISA: each with its operands and the first PTX version that has it (times
/// 10) and, where it is not 20, the first target. Only these are accepted: a new one is looked up and added.
/// </summary>
internal static partial class PtxForms
{
    // One letter an operand: p predicate, h 16 bits, r 32, d 64, a address, i integer constant, l label, o place of a parameter or
    // shared variable; upper case where a constant may stand as well; {rr} a vector; s special register.
    private static readonly (string Pattern, string Operands, int Version, int Target)[] Forms =
    [
        (@"(add|sub|mul|div|fma|min|max)\.rn\.f32", "rRR|rRRR", 20, 20),
        (@"(add|sub|mul|fma)\.rn\.f64", "dDD|dDDD", 10, 20),
        (@"(rcp|sqrt)\.rn\.f32", "rR", 14, 20),
        (@"sqrt\.rn\.f64", "dD", 10, 20),
        (@"(neg|abs)\.f32", "rR", 10, 20),
        (@"copysign\.f32", "rRR", 20, 20),
        (@"(add|sub|min|max)\.[su]32", "rRR", 10, 20),
        (@"(add|sub|min|max)\.[su]64", "dDD", 10, 20),
        (@"(div|rem)\.[su]32", "rRR", 10, 20),
        (@"(div|rem)\.[su]64", "dDD", 10, 20),
        (@"mul\.lo\.[su]32", "rRR", 10, 20),
        (@"mul\.lo\.[su]64", "dDD", 10, 20),
        (@"mul\.wide\.[su]32", "dRR", 10, 20),
        (@"mad\.lo\.[su]32", "rRRR", 10, 20),
        (@"mad\.lo\.[su]64", "dDDD", 10, 20),
        (@"(and|or|xor)\.b16", "hHH", 10, 20),
        (@"(and|or|xor)\.b32", "rRR", 10, 20),
        (@"(and|or|xor)\.b64", "dDD", 10, 20),
        (@"(and|or|xor)\.pred", "ppP", 10, 20),
        (@"not\.pred", "pp", 10, 20),
        (@"not\.b32", "rR", 10, 20),
        (@"(shl|shr)\.[bsu]16", "hHR", 10, 20),
        (@"(shl|shr)\.[bsu]32", "rRR", 10, 20),
        (@"(shl|shr)\.[bsu]64", "dDR", 10, 20),
        (@"bfe\.[su]32", "rRRR", 20, 20),
        (@"popc\.b32", "rR", 20, 20),
        (@"setp\.(eq|ne|lt|le|gt|ge)\.[bsu]16", "pHH", 10, 20),
        (@"setp\.(eq|ne|lt|le|gt|ge)\.[bsu]32", "pRR", 10, 20),
        (@"setp\.(eq|ne|lt|le|gt|ge)\.[bsu]64", "pDD", 10, 20),
        (@"setp\.(eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan)\.f32", "pRR", 10, 20),
        (@"selp\.(b|f|s|u)32", "rRRp", 10, 20),
        (@"selp\.(b|s|u)64", "dDDp", 10, 20),
        (@"mov\.pred", "pP", 10, 20),
        (@"mov\.[bu]32", "rR|rs", 10, 20),
        (@"mov\.[bu]64", "dD|do", 10, 20),
        (@"cvt\.u64\.u32|cvt\.s64\.s32", "dR", 10, 20),
        (@"cvt\.u32\.u64|cvt\.s32\.s64", "rD", 10, 20),
        (@"cvt\.u32\.u16", "rH", 10, 20),
        (@"cvt\.u16\.u32", "hR", 10, 20),
        (@"cvt\.f64\.f32", "dR", 10, 20),
        (@"cvt\.rn\.f32\.f64", "rD", 10, 20),
        (@"cvt\.rn\.f32\.[su]32|cvt\.rzi\.[su]32\.f32|cvt\.r[mnz]i\.f32\.f32", "rR", 10, 20),
        (@"cvt\.rna\.tf32\.f32", "rR", 70, 80),
        (@"cvt\.rn\.(bf16x2|f16x2)\.f32", "rRR", 70, 80),
        (@"cvta(\.to)?\.(global|shared)\.u64", "dd", 20, 20),
        (@"cvta\.param\.u64", "do|dd", 77, 70),
        (@"ld(\.global|\.shared|\.param)?\.[bsu]8", "ha|ra", 10, 20),

        // A register may be wider than what is loaded: the sign, or zeros, fill it.
        (@"ld(\.global|\.shared|\.param)?\.[su]32", "ra|da", 10, 20),
        (@"ld(\.global|\.shared|\.param)?\.b32", "ra", 10, 20),
        (@"ld(\.global|\.shared|\.param)?\.[bsu]64", "da", 10, 20),
        (@"ld(\.global|\.shared|\.param)?\.v2\.b32", "{rr}a", 10, 20),
        (@"ld(\.global|\.shared|\.param)?\.v4\.b32", "{rrrr}a", 10, 20),
        (@"ld(\.global|\.shared|\.param)?\.v2\.b64", "{dd}a", 10, 20),
        (@"st(\.global|\.shared)?\.b32", "aR", 10, 20),
        (@"st(\.global|\.shared)?\.b64", "aD", 10, 20),
        (@"st(\.global|\.shared)?\.v2\.b32", "a{RR}", 10, 20),
        (@"st(\.global|\.shared)?\.v4\.b32", "a{RRRR}", 10, 20),
        (@"bra(\.uni)?", "l", 10, 20),
        (@"ret", "", 10, 20),
        (@"bar\.sync", "i", 10, 20),
        (@"bar\.warp\.sync", "i", 60, 30),
        (@"shfl\.sync\.(bfly|idx)\.b32", "rRRRI", 60, 30),
        (@"vote\.sync\.ballot\.b32", "rpI", 60, 30),

        // 4, 8 or 16 bytes past the level-1 cache's lines, or 16 around it; then how many of them are read.
        (@"cp\.async\.ca\.shared\.global", "aa4R|aa8R|aa6R", 70, 80),
        (@"cp\.async\.cg\.shared\.global", "aa6R", 70, 80),
        (@"cp\.async\.commit_group", "", 70, 80),
        (@"cp\.async\.wait_group", "i", 70, 80),

        // d [16, 8] four float32 a lane; a [16, 8 words] four words; b two.
        (@"mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.(bf16\.bf16|f16\.f16)\.f32", "{rrrr}{rrrr}{rr}{rrrr}", 70, 80),
        (@"mma\.sync\.aligned\.m16n8k8\.row\.col\.f32\.tf32\.tf32\.f32", "{rrrr}{rrrr}{rr}{rrrr}", 70, 80),
    ];

    private static readonly (Regex Pattern, string[] Operands, int Version, int Target)[] Compiled =
        [.. Forms.Select(form => (new Regex($"^(?:{form.Pattern})$"), form.Operands.Split('|'), form.Version, form.Target))];

    /// <summary>Gets what is wrong with an instruction, or null.</summary>
    /// <param name="opcode">The instruction with its modifiers.</param>
    /// <param name="operands">Its operands, vectors with their braces.</param>
    /// <param name="file">What the file declares.</param>
    public static string? Check(string opcode, IReadOnlyList<string> operands, PtxFile file)
    {
        foreach ((Regex pattern, string[] forms, int version, int target) in Compiled)
        {
            if (pattern.IsMatch(opcode))
            {
                return file.Version < version || file.Target < target ? $"{opcode} needs PTX {version / 10.0} and sm_{target}"
                    : forms.Any(form => Fits(form, operands, file)) ? null
                    : $"{opcode} doesn't take {string.Join(", ", operands)}";
            }
        }

        return $"{opcode} is not among the instructions that are known";
    }

    private static bool Fits(string form, IReadOnlyList<string> operands, PtxFile file)
    {
        MatchCollection kinds = Kinds().Matches(form);
        return kinds.Count == operands.Count && kinds.Zip(operands).All(pair => FitsKind(pair.First.Value, pair.Second, file));
    }

    private static bool FitsKind(string kind, string operand, PtxFile file)
    {
        if (kind[0] == '{')
        {
            string[] parts = operand.StartsWith('{') && operand.EndsWith('}') ? operand[1..^1].Split(',', StringSplitOptions.TrimEntries) : [];
            return parts.Length == kind.Length - 2 && kind[1..^1].Zip(parts).All(pair => FitsKind(pair.First.ToString(), pair.Second, file));
        }

        return kind[0] switch
        {
            'p' => file.ClassOf(operand) == ".pred",
            'P' => file.ClassOf(operand) == ".pred" || operand is "0" or "1" or "-1",
            'h' or 'r' or 'd' => file.ClassOf(operand) == Class(kind[0]),
            'H' or 'R' or 'D' => file.ClassOf(operand) == Class(char.ToLowerInvariant(kind[0])) || IsConstant(operand, kind[0]),
            'i' or 'I' => IsConstant(operand, 'R'),
            '4' or '8' => operand == kind,
            '6' => operand == "16",
            'a' => Address().Match(operand) is { Success: true } match && (file.ClassOf(match.Groups[1].Value) == ".b64" || file.IsVariable(match.Groups[1].Value)),
            'l' => file.IsLabel(operand),
            'o' => file.IsVariable(operand),
            's' => SpecialRegister().IsMatch(operand),
            _ => false,
        };
    }

    private static string Class(char kind) => kind switch
    {
        'h' => ".b16",
        'r' => ".b32",
        _ => ".b64",
    };

    private static bool IsConstant(string operand, char kind)
        => long.TryParse(operand, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
            || (kind == 'R' && operand.Length == 10 && operand.StartsWith("0f", StringComparison.Ordinal))
            || (kind == 'D' && operand.Length == 18 && operand.StartsWith("0d", StringComparison.Ordinal));

    [GeneratedRegex(@"\{[a-zA-Z]+\}|.")]
    private static partial Regex Kinds();

    [GeneratedRegex(@"^\[([%\w$]+)(?:\+-?\d+)?\]$")]
    private static partial Regex Address();

    [GeneratedRegex(@"^%(tid|ntid|ctaid|nctaid)\.[xyz]$")]
    private static partial Regex SpecialRegister();
}

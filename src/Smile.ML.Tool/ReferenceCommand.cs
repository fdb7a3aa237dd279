using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Text;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tool;

/// <summary><c>smile reference</c>: the command's own reference as Markdown, which <c>docs/commands.md</c> is. Not shown in the help.</summary>
internal static class ReferenceCommand
{
    public static Command Create(RootCommand root)
    {
        var command = new Command("reference", "Prints this command's reference as Markdown.") { Hidden = true };
        command.SetAction(_ => Console.Out.Write(Describe(root)));
        return command;
    }

    /// <summary>Describes all commands, a section each, and the merge methods. Lines end in line feeds.</summary>
    public static string Describe(RootCommand root)
    {
        var page = new StringBuilder();
        page.Append("# The `smile` command\n\n");
        page.Append("This page is what `smile reference` prints; a test compares the two.\n\n");
        page.Append(root.Description).Append(" Progress goes to stderr, results to stdout. The exit\n");
        page.Append("code is 0 on success, 1 where the run failed (stderr says why) and 2 where the arguments are wrong. Ctrl-C stops between two steps and\n");
        page.Append("leaves no half-written output.\n\n");
        page.Append("| command | does |\n|---|---|\n");
        foreach (Command command in Commands(root))
        {
            page.Append(CultureInfo.InvariantCulture, $"| [`{CommandHost.Path(command)}`](#{CommandHost.Path(command).Replace(' ', '-')}) | {Cell(command.Description)} |\n");
        }

        foreach (Command command in Commands(root))
        {
            Section(page, command);
        }

        page.Append("\n## Merge methods\n\n");
        page.Append("For `smile merge --method NAME --set PARAMETER=VALUE` and `smile eval --merge \"NAME PARAMETER=VALUE\"`; [merging.md](merging.md) tells what they do.\n\n");
        page.Append("| method | does | parameters and their defaults |\n|---|---|---|\n");
        foreach (MergeMethod method in MergeMethods.All)
        {
            string parameters = string.Join("; ", method.Parameters.Select(parameter =>
                $"`{(parameter.Value.Length > 0 ? $"{parameter.Name}={parameter.Value}" : parameter.Name)}` {Cell(parameter.Description)}, {Cell(parameter.Expected)}"));
            page.Append(CultureInfo.InvariantCulture, $"| `{method.Name}` | {Cell(method.Summary)} | {parameters} |\n");
        }

        return page.ToString();
    }

    /// <summary>The commands that do something, depth first.</summary>
    private static IEnumerable<Command> Commands(Command parent)
        => parent.Subcommands.Where(command => !command.Hidden)
            .SelectMany(command => command.Subcommands.Count > 0 ? Commands(command) : [command]);

    private static void Section(StringBuilder page, Command command)
    {
        page.Append(CultureInfo.InvariantCulture, $"\n## {CommandHost.Path(command)}\n\n{command.Description}\n\n```text\n{Usage(command)}\n```\n\n");
        page.Append("| option | means | default |\n|---|---|---|\n");
        foreach (Argument argument in command.Arguments)
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{Cell(argument.HelpName ?? argument.Name)}` | {Cell(argument.Description)} | required |\n");
        }

        foreach (Option option in command.Options.Where(option => !option.Hidden))
        {
            page.Append(CultureInfo.InvariantCulture, $"| `{Cell(Call(option))}` | {Cell(option.Description)} | {Default(option)} |\n");
        }
    }

    private static string Default(Option option)
    {
        if (option.Required)
        {
            return "required";
        }

        return option.HasDefaultValue && option.GetDefaultValue() is { } value and not false ? string.Create(CultureInfo.InvariantCulture, $"`{value}`") : "";
    }

    private static string Usage(Command command)
        => string.Join(' ', [
            CommandHost.Path(command),
            .. command.Arguments.Select(argument => argument.HelpName ?? argument.Name),
            .. command.Options.Where(option => option.Required).Select(Call),
            "[options]"]);

    private static string Call(Option option)
    {
        if (option.ValueType == typeof(bool))
        {
            return option.Name;
        }

        string value = option.HelpName
            ?? string.Join('|', option.GetCompletions(CompletionContext.Empty).Select(completion => completion.Label));
        return $"{option.Name} {value}";
    }

    /// <summary>A text in a cell of a table, which bars would end.</summary>
    private static string Cell(string? text) => (text ?? "").Replace("|", "\\|", StringComparison.Ordinal);
}

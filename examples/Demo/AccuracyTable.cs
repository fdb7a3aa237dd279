using System.Globalization;
using Smile.ML.Analysis;
using Spectre.Console;

namespace Smile.ML.Examples.Demo;

/// <summary>The demo's table: a row per task, a column per way to serve it.</summary>
internal static class AccuracyTable
{
    public static Table Create(
        IReadOnlyList<string> tasks,
        MethodResult pretrained,
        MethodResult fineTuned,
        MethodResult average,
        IReadOnlyDictionary<string, double> smile,
        MethodResult oracle)
    {
        Table table = new Table().RoundedBorder().AddColumn("task");
        foreach (string name in new[] { "pretrained", "fine-tuned", "average", "[bold green]SMILE[/]", "routing oracle" })
        {
            table.AddColumn(new TableColumn(name).RightAligned());
        }

        IReadOnlyDictionary<string, double>[] columns = [pretrained.Accuracy, fineTuned.Accuracy, average.Accuracy, smile, oracle.Accuracy];
        foreach (string task in tasks)
        {
            table.AddRow([task, .. columns.Select((column, i) => Cell(column[task], i))]);
        }

        table.AddEmptyRow();
        table.AddRow(["[bold]average[/]", .. columns.Select((column, i) => $"[bold]{Cell(column.Values.Average(), i)}[/]")]);
        return table;
    }

    private static string Cell(double accuracy, int column)
    {
        string text = accuracy.ToString("F1", CultureInfo.InvariantCulture);
        return column == 3 ? $"[green]{text}[/]" : text;
    }
}

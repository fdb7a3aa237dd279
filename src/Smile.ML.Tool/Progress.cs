using Smile.ML.Fusion;
using Spectre.Console;

namespace Smile.ML.Tool;

/// <summary>Shows on stderr how far a computation is: a bar on a terminal, a line every tenth when redirected.</summary>
internal static class Progress
{
    /// <summary>Shows how far a fusion or a merge is.</summary>
    public static TReport Run<TReport>(bool visible, Func<IProgress<FusionProgress>, TReport> fuse)
        => Run(visible, "layers", show => fuse(new Reporter(progress => show(progress.LayersDone, progress.LayerCount, progress.Layer))));

    /// <summary>Shows how many of some steps are done.</summary>
    /// <param name="visible">Whether to show it.</param>
    /// <param name="steps">What the steps are.</param>
    /// <param name="compute">Computes, and tells the steps done, their number, and the step.</param>
    public static TResult Run<TResult>(bool visible, string steps, Func<Action<int, int, string>, TResult> compute)
    {
        if (!visible)
        {
            return compute((_, _, _) => { });
        }

        if (Console.IsErrorRedirected)
        {
            int tenths = 0;
            return compute((done, count, _) =>
            {
                if (done * 10 / count is var now && now > tenths)
                {
                    tenths = now;
                    Console.Error.WriteLine($"{done} of {count} {steps}");
                }
            });
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().Start(context =>
        {
            ProgressTask task = context.AddTask("Starting");
            return compute((done, count, step) =>
            {
                task.MaxValue = count;
                task.Value = done;
                task.Description = Markup.Escape(step);
            });
        });
    }

    /// <summary>Reports on the fusing thread, so that lines come in order (Progress&lt;T&gt; posts to a thread pool).</summary>
    private sealed class Reporter(Action<FusionProgress> report) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value) => report(value);
    }
}

using Smile.ML.Fusion;
using Spectre.Console;

namespace Smile.ML.Tool;

/// <summary>Shows how far a fusion or a merge is: a bar on a terminal, a line every tenth when redirected.</summary>
internal static class Progress
{
    public static TReport Run<TReport>(bool visible, Func<IProgress<FusionProgress>, TReport> fuse)
    {
        if (!visible)
        {
            return fuse(new Reporter(_ => { }));
        }

        if (Console.IsErrorRedirected)
        {
            int tenths = 0;
            return fuse(new Reporter(progress =>
            {
                if (progress.LayersDone * 10 / progress.LayerCount is var now && now > tenths)
                {
                    tenths = now;
                    Console.Error.WriteLine($"{progress.LayersDone} of {progress.LayerCount} layers");
                }
            }));
        }

        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return console.Progress().Start(context =>
        {
            ProgressTask task = context.AddTask("Starting");
            return fuse(new Reporter(progress =>
            {
                task.MaxValue = progress.LayerCount;
                task.Value = progress.LayersDone;
                task.Description = Markup.Escape(progress.Layer);
            }));
        });
    }

    /// <summary>Reports on the fusing thread, so that lines come in order (Progress&lt;T&gt; posts to a thread pool).</summary>
    private sealed class Reporter(Action<FusionProgress> report) : IProgress<FusionProgress>
    {
        public void Report(FusionProgress value) => report(value);
    }
}

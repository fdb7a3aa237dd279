using System.CommandLine;

namespace Smile.ML.Tool;

/// <summary>The whole of the <c>smile</c> command.</summary>
internal static class SmileCommand
{
    public static RootCommand Create()
    {
        var root = new RootCommand("Fuses models fine-tuned from one pretrained model into one multi-task model (SMILE), runs and evaluates it.")
        {
            FuseCommand.Create(),
            MergeCommand.Create(),
            RunCommand.Create(),
            EvalCommand.Create(),
            AnalyzeCommand.Create(),
            InspectCommand.Create(),
            BenchCommand.Create(),
        };
        root.Subcommands.Add(ReferenceCommand.Create(root));
        return root;
    }
}

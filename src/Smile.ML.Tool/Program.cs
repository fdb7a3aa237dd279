using System.CommandLine;
using Smile.ML.Tool;

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
return await CommandHost.InvokeAsync(root, args);

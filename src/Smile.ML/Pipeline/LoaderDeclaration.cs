extern alias MLNetLoaderAttribute;

using Microsoft.ML;
using Smile.ML;

// ML.NET loads the assembly that a saved model names and looks for this declaration, so a process needs to do nothing before it loads a
// pipeline with a SmileTransformer. The attribute is internal to ML.NET: eng/MLNet.LoaderAttribute gives it a name at compile time, and
// IgnoresAccessChecksTo lets the runtime create it.
[assembly: System.Runtime.CompilerServices.IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: MLNetLoaderAttribute::Microsoft.ML.LoadableClass(
    typeof(ITransformer),
    typeof(SmileModelLoader),
    null,
    typeof(MLNetLoaderAttribute::Microsoft.ML.SignatureLoadModel),
    "SMILE fused model",
    SmileModelLoader.Signature)]

namespace Microsoft.ML;

/// <summary>The signature of what loads a model.</summary>
internal delegate void SignatureLoadModel(ModelLoadContext ctx);

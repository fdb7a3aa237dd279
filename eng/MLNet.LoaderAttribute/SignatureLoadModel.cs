namespace Microsoft.ML;

/// <summary>Stands for classes that load models.</summary>
public delegate void SignatureLoadModel();

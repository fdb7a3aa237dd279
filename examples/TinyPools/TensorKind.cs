namespace Smile.ML.Examples.TinyPools;

/// <summary>What a tensor is filled with.</summary>
internal enum TensorKind
{
    LinearWeight,
    Table,
    Ones,
    Zeros,
}

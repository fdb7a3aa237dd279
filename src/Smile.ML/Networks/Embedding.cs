using Smile.ML.Compute;

namespace Smile.ML.Networks;

/// <summary>A table with one row per id.</summary>
/// <param name="table">[ids, features].</param>
internal sealed class Embedding(Tensor table)
{
    /// <summary>Looks rows up: [ids, features]; the caller disposes the result.</summary>
    /// <param name="pass">The forward pass.</param>
    /// <param name="ids">The ids, already known to be in the table.</param>
    public Tensor Forward(ForwardPass pass, ReadOnlySpan<int> ids) => pass.Gather(table, ids);
}

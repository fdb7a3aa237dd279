namespace Smile.ML.Compute;

/// <summary>
/// A device and the operations on it that networks are written with. Operations may be called from several threads at once; each
/// row of a result depends on nothing but its own row (its own sequence, for attention), so results don't depend on the batch.
/// </summary>
internal abstract class Backend : IDisposable
{
    /// <summary>Gets the device's name, e.g. <c>cpu</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Takes a matrix from the backend's cache; its contents are undefined.</summary>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 1 or more.</param>
    /// <returns>The matrix; dispose it to give it back.</returns>
    public abstract Tensor Rent(int rows, int columns);

    /// <summary>Copies host values, row by row, into a matrix.</summary>
    public abstract void Upload(ReadOnlySpan<float> values, Tensor destination);

    /// <summary>Copies a matrix, row by row, to the host.</summary>
    public abstract void Download(Tensor source, Span<float> values);

    /// <summary>Waits until all operations are done, where they may still be under way when their calls return: for measuring.</summary>
    public virtual void Synchronize()
    {
    }

    /// <summary>Brings a weight into the form that <see cref="Multiply"/> takes.</summary>
    /// <param name="outputs">Output features: rows of the weight.</param>
    /// <param name="inputs">Input features: columns of the weight.</param>
    /// <param name="weight">Reads the weight's rows.</param>
    /// <param name="bias">One value per output feature, or null.</param>
    public abstract DenseWeights LoadDense(int outputs, int inputs, RowReader weight, float[]? bias);

    /// <summary>Brings the experts of a routed layer into the form that <see cref="AddExperts"/> takes.</summary>
    /// <param name="outputs">Output features.</param>
    /// <param name="inputs">Input features.</param>
    /// <param name="routerRank">Router rows per expert.</param>
    /// <param name="experts">The experts in router order.</param>
    public abstract ExpertWeights LoadExperts(int outputs, int inputs, int routerRank, IReadOnlyList<ExpertDefinition> experts);

    /// <summary>Multiplies one input [rows, inputs] by several weights in one pass.</summary>
    public abstract void Multiply(Tensor input, ReadOnlySpan<DenseProduct> products);

    /// <summary>Routes every row of the gate's outputs.</summary>
    /// <param name="gate">The gate's outputs [N, E * router rank], or null where there is nothing to route by.</param>
    /// <param name="tokens">N.</param>
    /// <param name="router">The policy.</param>
    public abstract RoutingDecision Route(Tensor? gate, int tokens, IRowRouter router);

    /// <summary>
    /// Adds the chosen experts: result_t += sum over chosen e of w_te (u_e (svh_e x_t) + bias_e), experts in the order of the decision.
    /// </summary>
    /// <param name="input">The layer's input [N, inputs].</param>
    /// <param name="gate">The gate's outputs for it, or null where there is nothing to route by.</param>
    /// <param name="decision">Where each token goes.</param>
    /// <param name="experts">The experts.</param>
    /// <param name="result">The shared layer's output [N, outputs]; added to.</param>
    public abstract void AddExperts(Tensor input, Tensor? gate, RoutingDecision decision, ExpertWeights experts, Tensor result);

    /// <summary>result = (x - mean) / sqrt(variance + epsilon) * gain + bias, per row.</summary>
    public abstract void LayerNorm(Tensor input, Tensor gain, Tensor bias, float epsilon, Tensor result);

    /// <summary>result = x / sqrt(mean of x^2 + epsilon) * gain, per row.</summary>
    public abstract void RmsNorm(Tensor input, Tensor gain, float epsilon, Tensor result);

    /// <summary>Applies a nonlinearity in place.</summary>
    public abstract void Activate(Tensor values, Activation activation);

    /// <summary>target += values; row i takes row i modulo the rows of the values, so a table of positions serves a whole batch.</summary>
    public abstract void Add(Tensor target, Tensor values);

    /// <summary>target *= values, likewise.</summary>
    public abstract void MultiplyElements(Tensor target, Tensor values);

    /// <summary>
    /// Rotary position embedding (arXiv 2104.09864) in place, a head's first half of features paired with its second: (x, y) becomes
    /// (x cos - y sin, y cos + x sin).
    /// </summary>
    /// <param name="values">[N, heads * head size].</param>
    /// <param name="angles">
    /// [M, head size]: the cosines of the head size / 2 angles, then their sines; row i of the values takes row i modulo M.
    /// </param>
    public abstract void Rotate(Tensor values, Tensor angles);

    /// <summary>result[i] = source[rows[i]].</summary>
    public abstract void GatherRows(Tensor source, ReadOnlySpan<int> rows, Tensor result);

    /// <summary>target[rows[i]] = source[i modulo the source's rows].</summary>
    public abstract void ScatterRows(Tensor source, ReadOnlySpan<int> rows, Tensor target);

    /// <summary>
    /// Fills a bias whose values depend on the head and the diagonal alone: result[h * Q + i, j] = table[rows[j - i + Q - 1], h], with Q
    /// the result's rows per column of the table.
    /// </summary>
    /// <param name="table">[any, H].</param>
    /// <param name="rows">The table's row of each of the Q + K - 1 diagonals.</param>
    /// <param name="result">[H * Q, K].</param>
    public abstract void SpreadDiagonals(Tensor table, ReadOnlySpan<int> rows, Tensor result);

    /// <summary>Cuts images [N, channels * size * size] into patches [N * patches, channels * patch * patch], row by row.</summary>
    public abstract void ExtractPatches(Tensor images, PatchGeometry geometry, Tensor patches);

    /// <summary>softmax(scale q k^T + bias, masked) v per sequence and head.</summary>
    /// <param name="queries">[Batch * QueryTokens, Heads * HeadSize].</param>
    /// <param name="keys">[Batch * KeyStride, KeyValueHeads * HeadSize], of which each sequence's first KeyTokens rows are seen.</param>
    /// <param name="values">As the keys.</param>
    /// <param name="shape">Sizes and masks.</param>
    /// <param name="result">[Batch * QueryTokens, Heads * HeadSize].</param>
    public abstract void Attention(Tensor queries, Tensor keys, Tensor values, in AttentionShape shape, Tensor result);

    /// <inheritdoc/>
    public abstract void Dispose();
}

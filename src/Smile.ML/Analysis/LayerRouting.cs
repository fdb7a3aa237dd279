namespace Smile.ML.Analysis;

/// <summary>Where one layer's tokens went.</summary>
public sealed record LayerRouting
{
    /// <summary>Gets the layer's name.</summary>
    public required string Layer { get; init; }

    /// <summary>Gets the share of each task's tokens whose first choice is each expert [tasks, experts]; rows sum to 1.</summary>
    public required LabelledMatrix Shares { get; init; }

    /// <summary>Gets the share of each task's routing weight that each expert got [tasks, experts]; rows sum to 1.</summary>
    public required LabelledMatrix Mass { get; init; }

    /// <summary>Gets how clearly the tokens chose.</summary>
    public required MarginHistogram Margins { get; init; }

    /// <summary>Gets the share of a task's tokens whose first choice is the task's own expert, the one of its name; 0 where there is none.</summary>
    /// <param name="task">Index of the task.</param>
    /// <returns>From 0 to 1.</returns>
    public double OwnExpertShare(int task)
    {
        int own = Shares.Columns.ToList().IndexOf(Shares.Rows[task]);
        return own < 0 ? 0 : Shares[task, own];
    }
}

namespace Smile.ML.Fusion.Merging;

/// <summary>What becomes of the entries that have the elected sign.</summary>
public enum AgreeingEntries
{
    /// <summary>They are added.</summary>
    Sum,

    /// <summary>They are averaged over the experts that have one.</summary>
    Mean,
}

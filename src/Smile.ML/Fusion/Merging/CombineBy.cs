namespace Smile.ML.Fusion.Merging;

/// <summary>How sparse task vectors are combined.</summary>
public enum CombineBy
{
    /// <summary>Their mean.</summary>
    Average,

    /// <summary>Their sum.</summary>
    TaskArithmetic,

    /// <summary>The sum of the entries whose sign is that of the sum.</summary>
    Ties,
}

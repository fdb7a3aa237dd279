namespace Smile.ML.Fusion.Merging;

/// <summary>What the ways to combine stand for.</summary>
internal static class CombineByExtensions
{
    public static Combination ToCombination(this CombineBy combine) => combine switch
    {
        CombineBy.Average => Combinations.Mean,
        CombineBy.Ties => Combinations.Elect(AgreeingEntries.Sum),
        _ => Combinations.Sum,
    };

    /// <summary>Gets the factor that suits a combination: a mean is taken whole, a sum in part.</summary>
    public static double DefaultScale(this CombineBy combine) => combine == CombineBy.Average ? 1 : 0.3;
}

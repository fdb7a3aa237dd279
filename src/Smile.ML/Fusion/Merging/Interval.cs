using System.Globalization;

namespace Smile.ML.Fusion.Merging;

/// <summary>The numbers between two ends; infinite ends never belong to it.</summary>
/// <param name="Minimum">The lower end.</param>
/// <param name="Maximum">The upper end.</param>
/// <param name="HoldsMinimum">Whether the lower end belongs to it.</param>
/// <param name="HoldsMaximum">Whether the upper end belongs to it.</param>
internal readonly record struct Interval(double Minimum, double Maximum, bool HoldsMinimum, bool HoldsMaximum)
{
    /// <summary>All finite numbers.</summary>
    public static readonly Interval Finite = new(double.NegativeInfinity, double.PositiveInfinity, false, false);

    /// <summary>[0, infinity).</summary>
    public static readonly Interval NonNegative = new(0, double.PositiveInfinity, true, false);

    /// <summary>[0, 1].</summary>
    public static readonly Interval Unit = new(0, 1, true, true);

    /// <summary>[0, 1).</summary>
    public static readonly Interval UnitWithoutOne = new(0, 1, true, false);

    /// <summary>(0, 1].</summary>
    public static readonly Interval UnitWithoutZero = new(0, 1, false, true);

    /// <summary>Tells whether a number belongs to it.</summary>
    public bool Contains(double value)
        => (HoldsMinimum ? value >= Minimum : value > Minimum) && (HoldsMaximum ? value <= Maximum : value < Maximum);

    /// <summary>As error messages and lists show it, e.g. <c>a number in (0, 1]</c>.</summary>
    public override string ToString()
    {
        if (this == Finite)
        {
            return "a finite number";
        }

        string range = string.Create(
            CultureInfo.InvariantCulture,
            $"{(HoldsMinimum ? '[' : '(')}{Minimum}, {(double.IsFinite(Maximum) ? Maximum.ToString(CultureInfo.InvariantCulture) : "infinity")}{(HoldsMaximum ? ']' : ')')}");
        return $"a number in {range}";
    }
}

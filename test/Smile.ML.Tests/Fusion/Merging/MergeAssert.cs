namespace Smile.ML.Tests.Fusion.Merging;

/// <summary>Compares merged parameters with expected ones.</summary>
internal static class MergeAssert
{
    public static void AreClose(IEnumerable<double> expected, float[] actual, double tolerance, string what)
    {
        double[] values = [.. expected];
        Assert.HasCount(values.Length, actual, what);
        for (int i = 0; i < values.Length; i++)
        {
            Assert.AreEqual(values[i], actual[i], tolerance, $"{what}, element {i}");
        }
    }
}

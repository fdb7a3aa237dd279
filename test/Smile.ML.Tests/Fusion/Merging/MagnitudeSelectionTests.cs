using FsCheck;
using FsCheck.Fluent;
using Smile.ML.Fusion.Merging;

namespace Smile.ML.Tests.Fusion.Merging;

[TestClass]
public class MagnitudeSelectionTests
{
    [TestMethod]
    public void FindsWhatSortingFinds()
        => Prop.ForAll<double[], byte>((numbers, place) =>
        {
            // Repeated values and zeros of both signs among them.
            float[] values = [.. numbers.Select(number => (float)number).Where(float.IsFinite), 0f, -0f, 1f, -1f, 1f, float.Epsilon, float.MaxValue];
            int rank = place % values.Length;
            var selection = new MagnitudeSelection(rank);
            for (int pass = 0; pass < MagnitudeSelection.Passes; pass++)
            {
                selection.Count(values.AsSpan(values.Length / 2));
                selection.Count(values.AsSpan(0, values.Length / 2));
                selection.EndPass();
            }

            return selection.Result == values.Select(MathF.Abs).Order().ElementAt(rank);
        }).QuickCheckThrowOnFailure();
}

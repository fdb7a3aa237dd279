using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Merges parameters, not task vectors: c_0 theta_0 + sum_t c_t theta_t, with coefficients that may differ from tensor to tensor.</summary>
/// <param name="taskVectors">The models to merge.</param>
/// <param name="coefficientsOf">Gets a tensor's coefficients.</param>
internal sealed class LinearCombinationMerger(TaskVectors taskVectors, Func<TensorInfo, LinearCoefficients> coefficientsOf) : TensorMerger(taskVectors)
{
    public override void MergeDelta(TensorInfo tensor, float[] delta)
    {
        // c_0 theta_0 + sum c_t theta_t - theta_0 = sum c_t tau_t + (c_0 + sum c_t - 1) theta_0, which keeps the small differences exact.
        LinearCoefficients coefficients = coefficientsOf(tensor);
        double rest = coefficients.Pretrained + coefficients.Experts.Sum() - 1;
        Combine(tensor, coefficients with { Pretrained = rest }, TaskVectors.Read, delta);
    }

    protected override void ComputeParameters(TensorInfo tensor, float[] merged)
        => Combine(tensor, coefficientsOf(tensor), TaskVectors.ReadExpert, merged);

    private void Combine(TensorInfo tensor, LinearCoefficients coefficients, ExpertReader read, float[] result)
        => TaskVectors.ForBlocks(tensor, block =>
        {
            var values = new float[block.Length];
            var sum = new double[block.Length];
            if (coefficients.Pretrained != 0)
            {
                TaskVectors.ReadPretrained(block, values);
                AddScaled(coefficients.Pretrained, values, sum);
            }

            for (int expert = 0; expert < TaskVectors.Count; expert++)
            {
                read(expert, block, values);
                AddScaled(coefficients.Experts[expert], values, sum);
            }

            Span<float> destination = result.AsSpan((int)block.Start, block.Length);
            for (int i = 0; i < destination.Length; i++)
            {
                destination[i] = (float)sum[i];
            }
        });

    private static void AddScaled(double factor, float[] values, double[] sum)
    {
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] += factor * values[i];
        }
    }
}

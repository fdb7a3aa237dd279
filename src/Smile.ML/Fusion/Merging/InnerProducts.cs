using Smile.ML.Checkpoints;

namespace Smile.ML.Fusion.Merging;

/// <summary>Inner products of whole tensors of all experts, in float64.</summary>
internal static class InnerProducts
{
    /// <summary>Computes the Gram matrix [T, T] of a tensor.</summary>
    /// <param name="taskVectors">The models.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="read">What to multiply: the experts' parameters or their task vectors.</param>
    public static double[,] Compute(TaskVectors taskVectors, TensorInfo tensor, ExpertReader read)
    {
        int count = taskVectors.Count;
        TensorBlock[] blocks = TensorBlock.Split(tensor);
        var partial = new double[blocks.Length][,];
        taskVectors.Threads.For(blocks.Length, i => partial[i] = OfBlock(blocks[i], count, read));

        // Blocks are added in their order, so that the sum does not depend on the threads.
        var total = new double[count, count];
        foreach (double[,] products in partial)
        {
            for (int a = 0; a < count; a++)
            {
                for (int b = 0; b < count; b++)
                {
                    total[a, b] += products[a, b];
                }
            }
        }

        return total;
    }

    /// <summary>Gets the cosine of two experts' angle; 0 where one of them is zero.</summary>
    public static double Cosine(double[,] products, int a, int b)
    {
        double norms = Math.Sqrt(products[a, a]) * Math.Sqrt(products[b, b]);
        return norms > 0 ? Math.Clamp(products[a, b] / norms, -1, 1) : 0;
    }

    private static double[,] OfBlock(TensorBlock block, int count, ExpertReader read)
    {
        var values = new float[count][];
        var products = new double[count, count];
        for (int a = 0; a < count; a++)
        {
            values[a] = new float[block.Length];
            read(a, block, values[a]);
            for (int b = 0; b <= a; b++)
            {
                double sum = 0;
                for (int i = 0; i < block.Length; i++)
                {
                    sum += (double)values[a][i] * values[b][i];
                }

                products[a, b] = sum;
                products[b, a] = sum;
            }
        }

        return products;
    }
}

namespace Smile.ML.Fusion;

/// <summary>Simple averaging: each parameter is the mean of the experts', the pretrained model not counted.</summary>
internal sealed class AverageTensors(ModelPool pool) : ComputedTensors(pool)
{
    private readonly ModelPool _pool = pool;

    public override string Location => $"the average of {_pool.Location}";

    public override void ReadFloats(string name, long start, Span<float> destination)
    {
        var sum = new double[destination.Length];
        foreach (Expert expert in _pool.Experts)
        {
            // A linear layer without its bias counts as one whose bias is 0.
            if (expert.Parameters.Tensors.ContainsKey(name))
            {
                expert.Parameters.ReadFloats(name, start, destination);
                for (int i = 0; i < sum.Length; i++)
                {
                    sum[i] += destination[i];
                }
            }
        }

        for (int i = 0; i < sum.Length; i++)
        {
            destination[i] = (float)(sum[i] / _pool.Experts.Count);
        }
    }
}

using System.Buffers;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The low-rank part of a routed layer. Tokens are grouped by expert with a counting sort; each task takes a block of one expert's
/// tokens through both factors and adds the weighted outcome to those tokens' rows.
/// </summary>
internal static unsafe class ExpertKernel
{
    /// <summary>Tokens of one task: enough rows to reuse a panel from the cache, few enough to share out.</summary>
    private const int BlockRows = 48;

    /// <summary>Adds every token's chosen experts, first choices first: the order of a token's additions is its own.</summary>
    public static void Add(
        WorkerPool pool, TensorCache cache, CpuTensor input, CpuTensor? gate, CpuRoutingDecision decision, CpuExpertWeights experts, CpuTensor result)
    {
        int tokens = decision.Tokens;
        int[] order = ArrayPool<int>.Shared.Rent(tokens);
        Block[] blocks = ArrayPool<Block>.Shared.Rent((tokens / BlockRows) + experts.Count + 1);
        try
        {
            for (int choice = 0; choice < decision.ExpertsPerToken; choice++)
            {
                int count = Group(decision, choice, order, blocks);
                var work = new Work(pool, cache, input, gate, decision, experts, result, choice, order, blocks);
                pool.For(count, ref work);
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(order);
            ArrayPool<Block>.Shared.Return(blocks);
        }
    }

    /// <summary>Sorts the tokens by their expert and cuts each expert's run into blocks; returns the number of blocks.</summary>
    private static int Group(CpuRoutingDecision decision, int choice, int[] order, Block[] blocks)
    {
        Span<int> next = stackalloc int[Math.Min(decision.ExpertCount, 256)];
        next = decision.ExpertCount > 256 ? new int[decision.ExpertCount] : next;
        next.Clear();
        for (int token = 0; token < decision.Tokens; token++)
        {
            next[decision.Selected(token)[choice]]++;
        }

        int start = 0;
        int count = 0;
        for (int expert = 0; expert < next.Length; expert++)
        {
            int end = start + next[expert];
            next[expert] = start;
            for (; start < end; start = Math.Min(end, start + BlockRows))
            {
                blocks[count++] = new Block(expert, start, Math.Min(BlockRows, end - start));
            }
        }

        for (int token = 0; token < decision.Tokens; token++)
        {
            order[next[decision.Selected(token)[choice]]++] = token;
        }

        return count;
    }

    private readonly record struct Block(int Expert, int Start, int Length);

    private readonly struct Work(
        WorkerPool pool,
        TensorCache cache,
        CpuTensor input,
        CpuTensor? gate,
        CpuRoutingDecision decision,
        CpuExpertWeights experts,
        CpuTensor result,
        int choice,
        int[] order,
        Block[] blocks) : IParallelWork
    {
        public void Execute(int index)
        {
            Block block = blocks[index];
            CpuExpertWeights.Expert expert = experts.Experts[block.Expert];
            ReadOnlySpan<int> tokens = order.AsSpan(block.Start, block.Length);
            if (expert.Up is null)
            {
                AddBiasOnly(expert, tokens);
                return;
            }

            using CpuTensor rows = cache.Rent(block.Length, experts.Inputs);
            using CpuTensor product = cache.Rent(block.Length, experts.Outputs);
            if (expert.IsDense)
            {
                Gather(tokens, rows);
                Multiply(rows, expert.Up, product, 0);
            }
            else
            {
                using CpuTensor factors = cache.Rent(block.Length, expert.Rank);
                if (expert.Down is { } down)
                {
                    Gather(tokens, rows);
                    Multiply(rows, down, factors, expert.RouterScales.Length);
                }

                ScaleGate(block.Expert, expert, tokens, factors);
                Multiply(factors, expert.Up, product, 0);
            }

            for (int i = 0; i < tokens.Length; i++)
            {
                Accumulate(product.RowPointer(i), expert.Bias, decision.Weights(tokens[i])[choice], result.RowPointer(tokens[i]));
            }
        }

        private void AddBiasOnly(CpuExpertWeights.Expert expert, ReadOnlySpan<int> tokens)
        {
            if (expert.Bias is not { } bias)
            {
                return;
            }

            foreach (int token in tokens)
            {
                Accumulate(bias.Pointer, null, decision.Weights(token)[choice], result.RowPointer(token));
            }
        }

        private void Gather(ReadOnlySpan<int> tokens, CpuTensor rows)
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                input.Row(tokens[i]).CopyTo(rows.Row(i));
            }
        }

        /// <summary>Fills the first columns of svh x from the gate's outputs.</summary>
        private void ScaleGate(int index, CpuExpertWeights.Expert expert, ReadOnlySpan<int> tokens, CpuTensor factors)
        {
            for (int i = 0; i < tokens.Length && expert.RouterScales.Length > 0; i++)
            {
                ReadOnlySpan<float> outputs = gate!.Row(tokens[i]).Slice(index * experts.RouterRank, expert.RouterScales.Length);
                Span<float> row = factors.Row(i);
                for (int j = 0; j < outputs.Length; j++)
                {
                    row[j] = outputs[j] * expert.RouterScales[j];
                }
            }
        }

        /// <summary>Writes rows times weights into the product from a column on.</summary>
        private void Multiply(CpuTensor rows, PackedMatrix weights, CpuTensor product, int column)
        {
            var output = new GemmOutput { Weights = weights, Result = product.Pointer + column, Stride = product.Columns };
            Gemm.Multiply(pool, rows.Rows, rows.Pointer, rows.Columns, [output]);
        }

        /// <summary>target += weight * (values + bias).</summary>
        private void Accumulate(float* values, CpuTensor? bias, float weight, float* target)
        {
            Vector512<float> factor = Vector512.Create(weight);
            for (int i = 0; i < experts.Outputs; i += VectorMath.Lanes)
            {
                int count = experts.Outputs - i;
                Vector512<float> sum = VectorMath.Load(values + i, count);
                if (bias is not null)
                {
                    sum += VectorMath.Load(bias.Pointer + i, count);
                }

                VectorMath.Store(Vector512.FusedMultiplyAdd(factor, sum, VectorMath.Load(target + i, count)), target + i, count);
            }
        }
    }
}

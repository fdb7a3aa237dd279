using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Smile.ML.Compute.Cpu;

/// <summary>
/// The low-rank part of a routed layer. Tokens are grouped by expert with a counting sort; each task takes a block of one expert's
/// tokens through both factors and adds the weighted outcome to those tokens' rows.
/// </summary>
internal static unsafe class ExpertKernel
{
    /// <summary>Tokens of one task at most: enough rows to reuse a panel from the cache, few enough to share out.</summary>
    private const int BlockRows = 120;

    // A multiple of every tile's height.
    private const int TileRows = 24;

    // Tokens of a stripe per expert, on average, at least: fewer don't pay for fetching the expert's factors.
    private const int StripeRows = 48;

    private const int CountersOnStack = 256;

    /// <summary>Adds every token's chosen experts, first choices first: the order of a token's additions is its own.</summary>
    public static void Add(
        WorkerPool pool, TensorCache cache, CpuTensor input, CpuTensor? gate, CpuRoutingDecision decision, CpuExpertWeights experts, CpuTensor result)
    {
        int tokens = decision.Tokens;

        // A stripe of neighbouring tokens for each thread, where there are enough: what a thread adds to is what it has just computed.
        int stripes = Math.Clamp(tokens / (experts.Count * StripeRows), 1, pool.Threads);
        using CpuTensor order = cache.Rent(2, tokens);
        Block[] blocks = ArrayPool<Block>.Shared.Rent((tokens / BlockRows) + (stripes * experts.Count));
        try
        {
            var groups = new Groups((int*)order.RowPointer(0), order.RowPointer(1), blocks);
            for (int choice = 0; choice < decision.ExpertsPerToken; choice++)
            {
                int count = 0;
                for (int stripe = 0; stripe < stripes; stripe++)
                {
                    int first = WorkerPool.ShareStart(tokens, stripe, stripes);
                    int end = WorkerPool.ShareStart(tokens, stripe + 1, stripes);
                    Group(decision, choice, first, end, groups, ref count);
                }

                var work = new Work(pool, cache, input, gate, experts, result, groups);
                pool.For(count, ref work);
            }
        }
        finally
        {
            ArrayPool<Block>.Shared.Return(blocks);
        }
    }

    /// <summary>Sorts the tokens of a stripe by their expert and cuts each expert's run into blocks of about equal length.</summary>
    [SkipLocalsInit]
    private static void Group(CpuRoutingDecision decision, int choice, int first, int end, Groups groups, ref int count)
    {
        Span<int> next = decision.ExpertCount <= CountersOnStack ? stackalloc int[CountersOnStack] : new int[decision.ExpertCount];
        next = next[..decision.ExpertCount];
        next.Clear();
        for (int token = first; token < end; token++)
        {
            next[decision.Selected(token)[choice]]++;
        }

        int start = first;
        for (int expert = 0; expert < next.Length; expert++)
        {
            int left = next[expert];
            next[expert] = start;
            for (int pieces = (left + BlockRows - 1) / BlockRows; pieces > 0; pieces--)
            {
                int tiles = (left + (pieces * TileRows) - 1) / (pieces * TileRows);
                int length = Math.Min(left, tiles * TileRows);
                groups.Blocks[count++] = new Block(expert, start, length);
                start += length;
                left -= length;
            }
        }

        for (int token = first; token < end; token++)
        {
            int place = next[decision.Selected(token)[choice]]++;
            groups.Tokens[place] = token;
            groups.Weights[place] = decision.Weights(token)[choice];
        }
    }

    private readonly record struct Block(int Expert, int Start, int Length);

    /// <summary>The tokens in the order of their experts, the weight with which each takes its expert, and the blocks.</summary>
    private readonly struct Groups(int* tokens, float* weights, Block[] blocks)
    {
        public int* Tokens => tokens;

        public float* Weights => weights;

        public Block[] Blocks => blocks;
    }

    private readonly struct Work(
        WorkerPool pool, TensorCache cache, CpuTensor input, CpuTensor? gate, CpuExpertWeights experts, CpuTensor result, Groups groups)
        : IParallelWork
    {
        public void Execute(int index)
        {
            Block block = groups.Blocks[index];
            CpuExpertWeights.Expert expert = experts.Experts[block.Expert];
            if (expert.Up is null)
            {
                AddBiasOnly(expert, block);
            }
            else if (expert.IsDense)
            {
                AddProduct(input, groups.Tokens + block.Start, expert.Up, expert.Bias, block);
            }
            else
            {
                using CpuTensor factors = cache.Rent(block.Length, expert.Rank);
                ScaleGate(expert, block, factors);
                if (expert.Down is { } down)
                {
                    var output = new GemmOutput(down, factors.Pointer + expert.RouterScales.Length, factors.Columns)
                    {
                        SourceRows = groups.Tokens + block.Start,
                    };
                    Multiply(input, block, output);
                }

                AddProduct(factors, null, expert.Up, expert.Bias, block);
            }
        }

        private void AddBiasOnly(CpuExpertWeights.Expert expert, Block block)
        {
            if (expert.Bias is not { } bias)
            {
                return;
            }

            for (int i = block.Start; i < block.Start + block.Length; i++)
            {
                float* target = result.RowPointer(groups.Tokens[i]);
                Vector512<float> weight = Vector512.Create(groups.Weights[i]);
                for (int j = 0; j < experts.Outputs; j += VectorMath.Lanes)
                {
                    int count = experts.Outputs - j;
                    Vector512<float> sum = VectorMath.Load(target + j, count);
                    VectorMath.Store(Vector512.FusedMultiplyAdd(weight, VectorMath.Load(bias.Pointer + j, count), sum), target + j, count);
                }
            }
        }

        /// <summary>Fills the first columns of svh x from the gate's outputs.</summary>
        private void ScaleGate(CpuExpertWeights.Expert expert, Block block, CpuTensor factors)
        {
            ReadOnlySpan<float> scales = expert.RouterScales;
            if (scales.IsEmpty)
            {
                return;
            }

            fixed (float* scale = scales)
            {
                for (int i = 0; i < block.Length; i++)
                {
                    float* outputs = gate!.RowPointer(groups.Tokens[block.Start + i]) + (block.Expert * experts.RouterRank);
                    float* row = factors.RowPointer(i);
                    int j = 0;
                    for (; j <= scales.Length - Vector256<float>.Count; j += Vector256<float>.Count)
                    {
                        (Vector256.Load(outputs + j) * Vector256.Load(scale + j)).Store(row + j);
                    }

                    for (; j < scales.Length; j++)
                    {
                        row[j] = outputs[j] * scale[j];
                    }
                }
            }
        }

        /// <summary>Adds rows times weights, plus the bias, to the rows of the block's tokens, each with the token's weight.</summary>
        private void AddProduct(CpuTensor rows, int* sourceRows, PackedMatrix weights, CpuTensor? bias, Block block) => Multiply(
            rows,
            block,
            new GemmOutput(weights, result.Pointer, result.Columns, bias is null ? null : bias.Pointer)
            {
                SourceRows = sourceRows,
                TargetRows = groups.Tokens + block.Start,
                RowScales = groups.Weights + block.Start,
            });

        private void Multiply(CpuTensor rows, Block block, GemmOutput output)
            => Gemm.Multiply(pool, block.Length, rows.Pointer, rows.Columns, [output]);
    }
}

using System.CommandLine;
using System.Globalization;
using Smile.ML.Compute.Cpu;

namespace Smile.ML.Benchmarks;

/// <summary>Linear layers on the CPU: against OpenBLAS, routed against plain, and against the memory's bandwidth.</summary>
internal static unsafe class ComputeBenchmark
{
    private static readonly (int Outputs, int Inputs)[] Shapes = [(768, 768), (3072, 768), (768, 3072)];
    private static readonly int[] TokenCounts = [1600, 50, 1];

    public static Command Create()
    {
        var seconds = new Option<double>("--seconds") { Description = "How long to measure each line.", DefaultValueFactory = _ => 2 };
        var threads = new Option<int>("--threads") { Description = "Threads to compute with.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var command = new Command("compute", "Linear layers: dense, routed, many experts, one token at a time.") { seconds, threads };
        command.SetAction(parsed =>
        {
            double time = parsed.GetValue(seconds);
            using var single = new CpuBackend(1);
            using var backend = new CpuBackend(parsed.GetValue(threads));
            Console.WriteLine($"{Gemm.PreferredVectorBits}-bit vectors, {parsed.GetValue(threads)} threads where not said otherwise");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"multiply-adds on registers alone: {PeakRate.Measure() * 1e-9:F0} GFLOP/s a core"));
            Dense(single, backend, parsed.GetValue(threads), time);
            Routed(backend, time);
            ManyExperts(backend, time);
            Decode(backend, parsed.GetValue(threads), time);
        });
        return command;
    }

    private static void Dense(CpuBackend single, CpuBackend backend, int threads, double seconds)
    {
        if (!OpenBlas.IsPresent)
        {
            Console.WriteLine("OpenBLAS is not installed: no comparison with it.");
            return;
        }

        OpenBlas.SetThreads(1);
        Console.WriteLine($"dense, time as a multiple of OpenBLAS's {OpenBlas.Kernels} kernels on 1 thread");
        foreach ((int outputs, int inputs) in Shapes)
        {
            foreach (int tokens in TokenCounts)
            {
                using var layer = new SyntheticLayer(single, outputs, inputs, tokens);
                using var shared = new SyntheticLayer(backend, outputs, inputs, tokens);
                var result = new float[tokens * outputs];
                var times = SideBySide.Measure(seconds, OpenBlasProduct, layer.RunPlain, shared.RunPlain);
                double operations = 2.0 * tokens * outputs * inputs;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {outputs,4} x {inputs,4}, {tokens,4} tokens: 1 thread {times.Ratio(1, 0)}, {threads} threads {times.Ratio(2, 0)}; "
                    + $"best {operations / times[1].Minimum * 1e-9:F0} GFLOP/s, OpenBLAS {operations / times[0].Minimum * 1e-9:F0}"));

                void OpenBlasProduct()
                {
                    fixed (float* x = layer.InputValues, w = layer.WeightValues, y = result)
                    {
                        OpenBlas.Multiply(tokens, outputs, inputs, x, w, y);
                    }
                }
            }
        }
    }

    private static void Routed(CpuBackend backend, double seconds)
    {
        Console.WriteLine("routed over plain: 8 experts, rank 32, 16 router rows, 1 expert per token");
        foreach ((int outputs, int inputs) in Shapes)
        {
            // The router's rows for every token, of the expert's rank the half that the router doesn't give, and its other factor.
            double operations = 1 + ((128.0 + 16) / outputs) + (32.0 / inputs);
            foreach (int tokens in TokenCounts)
            {
                using var layer = new SyntheticLayer(backend, outputs, inputs, tokens, experts: 8);
                var times = SideBySide.Measure(seconds, layer.RunPlain, layer.RunRouted);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {outputs,4} x {inputs,4}, {tokens,4} tokens: {times.Ratio(1, 0)}; routed {times.Milliseconds(1)}; operations {operations:F2}"));
            }
        }
    }

    private static void ManyExperts(CpuBackend backend, double seconds)
    {
        Console.WriteLine("experts, 768 x 768, 1600 tokens: routed over plain, and the operations' ratio");
        foreach (int experts in (int[])[8, 16, 32, 64, 128])
        {
            using var layer = new SyntheticLayer(backend, 768, 768, 1600, experts);
            var times = SideBySide.Measure(seconds, layer.RunPlain, layer.RunRouted);
            double operations = 1 + (((16.0 * experts) + 16) / 768) + (32.0 / 768);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {experts,4}: {times.Ratio(1, 0)}; operations {operations:F2}"));
        }
    }

    /// <summary>One token through several layers in turn, together too large for any cache.</summary>
    private static void Decode(CpuBackend backend, int threads, double seconds)
    {
        const long Bytes = 256L << 20;
        Console.WriteLine("one token at a time, bfloat16 weights, against copying memory with as many threads");
        using var pool = new WorkerPool(threads);
        using var from = new NativeBuffer(Bytes / sizeof(float));
        using var to = new NativeBuffer(Bytes / sizeof(float));
        new Span<float>(from.Pointer, (int)from.Length).Fill(1);
        foreach ((int outputs, int inputs) in ((int, int)[])[(4096, 4096), (14336, 4096), (4096, 14336)])
        {
            long size = 2L * outputs * inputs;
            SyntheticLayer[] layers =
                [.. Enumerable.Range(0, (int)(Bytes / size) + 1).Select(_ => new SyntheticLayer(backend, outputs, inputs, 1, bfloat16: true))];
            var times = SideBySide.Measure(
                seconds, () => Copy(pool, from, to), () => Array.ForEach(layers, layer => layer.RunPlain()));
            double copied = 2 * Bytes / times[0].Median * 1e-9;
            double read = layers.Length * size / times[1].Median * 1e-9;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {outputs,5} x {inputs,5}: {read:F1} GB/s read (best {layers.Length * size / times[1].Minimum * 1e-9:F1}); copy {copied:F1} GB/s "
                + $"read and written (best {2 * Bytes / times[0].Minimum * 1e-9:F1}); share {read / copied:P0}"));
            Array.ForEach(layers, layer => layer.Dispose());
        }
    }

    private static void Copy(WorkerPool pool, NativeBuffer from, NativeBuffer to)
    {
        var work = new CopyPieces(from.Pointer, to.Pointer, from.Length / pool.Threads);
        pool.For(pool.Threads, ref work);
    }

    private readonly struct CopyPieces(float* from, float* to, long length) : IParallelWork
    {
        public void Execute(int index)
            => Buffer.MemoryCopy(from + (index * length), to + (index * length), length * sizeof(float), length * sizeof(float));
    }
}

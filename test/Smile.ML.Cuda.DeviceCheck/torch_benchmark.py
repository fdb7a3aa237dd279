"""What to compare the benchmark with, on the same card: the dense product (cuBLAS, through PyTorch) and the routed layer as a
plain PyTorch loop over experts.

Copies of the layer that take twice the L2 cache are used in turn, as in Benchmark.cs, so that weights come from memory.
Writes one line a cell to the file named: precision, out x in, tokens, seconds of the dense product, seconds of the loop."""
import itertools
import statistics
import sys

try:
    import torch
except ImportError:
    sys.exit("no PyTorch here: nothing to compare with")
if not torch.cuda.is_available():
    sys.exit("PyTorch sees no GPU")
from routed_layer import RoutedLayer

EXPERTS, RANK, ROUTER_RANK, CHOICES = 8, 32, 16, 1
RUNS, SECONDS = 7, 0.1


def random_layer(outputs, inputs, dtype):
    def values(*shape):
        return torch.rand(*shape, device="cuda", dtype=torch.float32).mul_(2).sub_(1).to(dtype)

    return RoutedLayer(
        values(outputs, inputs), values(outputs), values(EXPERTS * ROUTER_RANK, inputs), ROUTER_RANK,
        [(values(RANK, inputs), values(outputs, RANK), values(outputs)) for _ in range(EXPERTS)], CHOICES)


def once(function, x, repeats):
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(repeats):
        function(x)
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / repeats


def seconds(function, x):
    once(function, x, 3)
    repeats = max(1, min(200, int(SECONDS / RUNS / max(once(function, x, 2), 1e-6))))
    return statistics.median(once(function, x, repeats) for _ in range(RUNS))


properties = torch.cuda.get_device_properties(0)
if not hasattr(properties, "L2_cache_size"):
    sys.exit(f"PyTorch {torch.__version__} doesn't tell the size of the L2 cache: its figures would not be comparable")
print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
with open(sys.argv[1], "w") as file:
    for name, dtype in (("bf16", torch.bfloat16), ("tf32", torch.float32)):
        torch.backends.cuda.matmul.allow_tf32 = True
        for outputs, inputs in ((768, 768), (3072, 768), (4096, 4096), (14336, 4096)):
            copies = 2 * properties.L2_cache_size // (outputs * inputs * dtype.itemsize) + 1
            layers = itertools.cycle([random_layer(outputs, inputs, dtype) for _ in range(copies)])
            for tokens in (1, 64, 4096, 16384):
                x = torch.rand(tokens, inputs, device="cuda").mul_(2).sub_(1).to(dtype)
                line = f"{name}\t{outputs}x{inputs}\t{tokens}\t{seconds(lambda x: next(layers).dense(x), x):.9f}\t{seconds(lambda x: next(layers).routed(x), x):.9f}"
                print(line)
                print(line, file=file, flush=True)

"""Sets `smile bench` beside the same work in PyTorch, in turns, on this machine: building a layer from its experts by torch.linalg.svd,
and running it as a plain loop over experts. Run as

    SMILE="dotnet .../smile.dll" python3 compare_torch.py [--rounds 3] [--threads 2] [fuse] [forward]

Prints medians over the rounds in milliseconds and how many times as fast `smile` was."""
import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import time

try:
    # An OpenBLAS older than the processor takes slow kernels unless it is told better.
    with open("/proc/cpuinfo", encoding="ascii", errors="ignore") as processor:
        if "avx512bw" in processor.read():
            os.environ.setdefault("OPENBLAS_CORETYPE", "SKYLAKEX")
except OSError:
    pass

try:
    import torch
except ImportError:
    sys.exit("no PyTorch here: nothing to compare with")

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Smile.ML.Cuda.DeviceCheck"))
from routed_layer import RoutedLayer

RANK, ROUTER_RANK = 32, 16
FUSE_SHAPES = ((768, 768, 8), (3072, 768, 8), (768, 3072, 8), (4096, 4096, 3))
FORWARD_SHAPES = ((768, 768), (3072, 768), (768, 3072))
TOKENS = (1600, 50, 1)


def build(weight, bias, tuned):
    """Upscales a layer: of each delta's thin decomposition the leading directions."""
    gates, experts = [], []
    for fine_tuned in tuned:
        u, s, vh = torch.linalg.svd(fine_tuned - weight, full_matrices=False)
        gates.append(vh[:ROUTER_RANK].clone())
        experts.append((s[:RANK, None] * vh[:RANK], u[:, :RANK].contiguous(), None))
    return RoutedLayer(weight, bias, torch.cat(gates), ROUTER_RANK, experts)


def weights(outputs, inputs, experts):
    """What `smile bench` makes: 64 strong directions over a floor of noise."""
    torch.manual_seed(1)
    weight = (torch.rand(outputs, inputs) * 2 - 1) * 0.05
    tuned = []
    for _ in range(experts):
        scale = 0.02 / torch.arange(1, 65)
        strong = ((torch.rand(outputs, 64) * 2 - 1) * scale) @ (torch.rand(64, inputs) * 2 - 1)
        tuned.append(weight + strong + (torch.rand(outputs, inputs) * 2 - 1) * 0.002)
    return weight, torch.zeros(outputs), tuned


def seconds(action, least=0.5):
    """The median of several runs, or one where that alone takes longer than all are meant to."""
    times, end = [], time.perf_counter() + least
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def smile(verb, outputs, inputs, *more):
    command = shlex.split(os.environ.get("SMILE", "smile")) + [
        "bench", verb, "--out-features", str(outputs), "--in-features", str(inputs), "--expert-rank", str(RANK),
        "--router-rank", str(ROUTER_RANK), "--experts-per-token", "1", *more]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: float(value) / 1e3 for name, value in re.findall(r"(\w+)\s+median\s+([\d.]+) ms", printed)}


def report(name, torch_times, smile_times):
    theirs, ours = statistics.median(torch_times) * 1e3, statistics.median(smile_times) * 1e3
    print(f"{name:<34} {theirs:>10.3f} {ours:>10.3f} {theirs / ours:>8.1f}x", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=("fuse", "forward"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    threads = ("--threads", str(arguments.threads))
    what = arguments.what or ("fuse", "forward")
    square = torch.rand(1024, 1024)
    rate = 2 * 1024**3 / seconds(lambda: square @ square) / 1e9
    print(f"PyTorch {torch.__version__}, {arguments.threads} threads, {rate:.0f} GFLOP/s; milliseconds")
    if rate < 10 * arguments.threads:
        print("That is a reference BLAS, not an optimised one (on Debian: install libopenblas0-pthread). No fair comparison.")
    print(f"{'':<34} {'PyTorch':>10} {'smile':>10}")
    for outputs, inputs, experts in FUSE_SHAPES if "fuse" in what else ():
        pool = weights(outputs, inputs, experts)
        theirs, ours = [], []
        for _ in range(arguments.rounds):
            theirs.append(seconds(lambda: build(*pool)))
            ours.append(smile("fuse", outputs, inputs, "--experts", str(experts), *threads)["fuse"])
        report(f"fuse {outputs} x {inputs}, {experts} experts", theirs, ours)
    for outputs, inputs in FORWARD_SHAPES if "forward" in what else ():
        layer = build(*weights(outputs, inputs, 8))
        for tokens in TOKENS:
            x = torch.rand(tokens, inputs) * 2 - 1
            theirs, ours = {"plain": [], "routed": []}, {"plain": [], "routed": []}
            for _ in range(arguments.rounds):
                theirs["plain"].append(seconds(lambda: layer.dense(x)))
                theirs["routed"].append(seconds(lambda: layer.routed(x)))
                for name, value in smile("forward", outputs, inputs, "--experts", "8", "--tokens", str(tokens), *threads).items():
                    ours[name].append(value)
            for name in ("plain", "routed"):
                report(f"{name} {outputs} x {inputs}, {tokens} tokens", theirs[name], ours[name])


main()

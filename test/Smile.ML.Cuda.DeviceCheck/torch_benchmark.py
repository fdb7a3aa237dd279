"""What to compare the benchmark with, on the same card: the dense product (cuBLAS, through PyTorch) and the routed layer as a
plain PyTorch loop over experts. Written from the algorithm: logits are norms of projections, softmax, the best expert per token."""
import statistics
import sys

try:
    import torch
except ImportError:
    sys.exit("no PyTorch here: nothing to compare with")
if not torch.cuda.is_available():
    sys.exit("PyTorch sees no GPU")

EXPERTS, RANK, ROUTER_RANK, CHOICES = 8, 32, 16, 1


class RoutedLayer:
    def __init__(self, outputs, inputs, dtype):
        def values(*shape):
            return torch.rand(*shape, device="cuda", dtype=torch.float32).mul_(2).sub_(1).to(dtype)

        self.weight, self.bias = values(outputs, inputs), values(outputs)
        self.gate = values(EXPERTS * ROUTER_RANK, inputs)
        self.experts = [(values(RANK, inputs), values(outputs, RANK), values(outputs)) for _ in range(EXPERTS)]

    def dense(self, x):
        return torch.nn.functional.linear(x, self.weight, self.bias)

    def routed(self, x):
        y = self.dense(x)
        projections = torch.nn.functional.linear(x, self.gate).view(-1, EXPERTS, ROUTER_RANK)
        weights = torch.softmax(projections.float().norm(dim=2), dim=1)
        weights, chosen = torch.topk(weights, CHOICES, dim=1)
        weights = (weights / weights.sum(dim=1, keepdim=True)).to(x.dtype)
        for expert, (down, up, bias) in enumerate(self.experts):
            tokens, choice = torch.where(chosen == expert)
            if tokens.numel() > 0:
                part = torch.nn.functional.linear(torch.nn.functional.linear(x[tokens], down), up, bias)
                y.index_add_(0, tokens, part * weights[tokens, choice].unsqueeze(1))
        return y


def seconds(function, x, repeats):
    for _ in range(3):
        function(x)
    times = []
    for _ in range(11):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            function(x)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3 / repeats)
    return statistics.median(times)


print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
print("| precision | out x in | tokens | dense ms | TFLOP/s | loop over experts ms | ratio |")
print("|---|---|---|---|---|---|---|")
for name, dtype, tf32 in (("float32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    for outputs, inputs in ((768, 768), (3072, 768), (4096, 4096), (14336, 4096)):
        layer = RoutedLayer(outputs, inputs, dtype)
        for tokens in (1, 64, 4096, 16384):
            x = torch.rand(tokens, inputs, device="cuda").mul_(2).sub_(1).to(dtype)
            repeats = 50 if tokens <= 64 else 5
            dense, routed = seconds(layer.dense, x, repeats), seconds(layer.routed, x, repeats)
            rate = 2.0 * outputs * inputs * tokens / dense / 1e12
            print(f"| {name} | {outputs}x{inputs} | {tokens} | {dense * 1e3:.4f} | {rate:.1f} | {routed * 1e3:.4f} | {routed / dense:.2f} |")

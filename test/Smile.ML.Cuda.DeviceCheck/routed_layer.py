"""A routed layer as plain PyTorch: a loop over the experts, written from the algorithm. What the benchmarks are compared with."""
import torch
from torch.nn.functional import linear


class RoutedLayer:
    """W0 x + b0 + sum of w_e (u_e (svh_e x) + b_e) over the chosen experts: logits are norms of projections, weights their softmax, made to sum to 1."""

    def __init__(self, weight, bias, gate, router_rank, experts, choices=1):
        """experts: (svh, u, bias or None) of each; gate: their router rows, stacked."""
        self.weight, self.bias, self.gate, self.router_rank = weight, bias, gate, router_rank
        self.experts, self.choices = experts, choices

    def dense(self, x):
        return linear(x, self.weight, self.bias)

    def routed(self, x):
        y = self.dense(x)
        projections = linear(x, self.gate).view(len(x), -1, self.router_rank)
        weights = torch.softmax(projections.float().norm(dim=2), dim=1)
        weights, chosen = torch.topk(weights, self.choices, dim=1)
        weights = (weights / weights.sum(dim=1, keepdim=True)).to(x.dtype)
        for expert, (down, up, bias) in enumerate(self.experts):
            tokens, choice = torch.where(chosen == expert)
            if tokens.numel() > 0:
                part = linear(linear(x[tokens], down), up, bias)
                y.index_add_(0, tokens, part * weights[tokens, choice].unsqueeze(1))
        return y

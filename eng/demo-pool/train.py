#!/usr/bin/env python3
"""Trains the demo pool: one small CLIP-style vision model and eight fine-tunes of it.

The pool is small enough to ship and to run in seconds, and SMILE behaves on it as in
the paper: routed low-rank experts stay close to the fine-tuned models, merging into
one set of weights does not. All images are the handwritten digits of scikit-learn's
`load_digits`, drawn in eight colourings ("domains") with several sets of labels.

    python3 train.py --output pool              # train, store, evaluate (minutes on 2 cores)
    python3 train.py --seed 13 --validation     # look at validation figures, store nothing

Needs PyTorch, numpy and scikit-learn. Everything is evaluated on what is stored:
images rounded to uint8, weights rounded to float16. The validation rows are for every
choice (pretraining length, merge coefficients); the test rows are looked at once.
"""

import argparse
import json
import math
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import sklearn
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

# ---------------------------------------------------------------------------- settings

TRAIN, VALIDATION, TEST = slice(0, 1197), slice(1197, 1437), slice(1437, 1797)
STORED_TEST_ROWS = 120          # of the 360 test rows, the first; keeps the pool below 8 MB

CONFIG = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "model_type": "clip_vision_model",
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_channels": 3,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 64,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "attention_dropout": 0.0,
    "torch_dtype": "float16",
}
LOGIT_SCALE = 20.0

PRETRAIN_STEPS, PRETRAIN_IMAGES_PER_TASK, PRETRAIN_RATE = 100, 16, 1.5e-3
FINETUNE_STEPS, FINETUNE_BATCH, FINETUNE_RATE = 400, 48, 0.05
WARM_UP_STEPS, GRADIENT_NORM = 30, 1.0

SMILE = (16, 32, 1)             # gate_k, k, top_k: the setting the pool is made for
SMILE_VARIATIONS = [(1, 32, 1), (4, 32, 1), (16, 8, 1), (16, -1, 1), (16, 32, 2), (16, 32, 4)]
MERGE_COEFFICIENTS = [round(0.1 * i, 1) for i in range(1, 11)]
TIES_KEEP = 0.2

# ------------------------------------------------------------------------------- tasks

DIGITS = [str(d) for d in range(10)]
PAIRS = ["0-1", "2-3", "4-5", "6-7", "8-9"]
PARITY = ["even", "odd"]
MOD3 = ["0, 3, 6 or 9", "1, 4 or 7", "2, 5 or 8"]
MOD5 = ["0 or 5", "1 or 6", "2 or 7", "3 or 8", "4 or 9"]

# name -> (class names, digit -> class)
TASKS = {
    "plain":    (DIGITS, lambda y: y),
    "ink":      (PAIRS,  lambda y: y // 2),
    "upside":   (DIGITS, lambda y: y),
    "tiled":    (PARITY, lambda y: y % 2),
    "stripes":  (MOD3,   lambda y: y % 3),
    "checker":  (DIGITS, lambda y: y),
    "diagonal": (MOD5,   lambda y: y % 5),
    "dots":     (DIGITS, lambda y: y),
}

# ----------------------------------------------------------------------------- domains


def wave(fx, fy):
    """A cosine grating in 0..1; fx and fy in cycles per 8 pixels, taken at pixel centres."""
    at = torch.arange(32) + 0.5
    return 0.5 + 0.5 * torch.cos(2 * math.pi * (fx * at[None, :] + fy * at[:, None]) / 8)


def bars(fx, fy):
    return (wave(fx, fy) > 0.5).float()


def flat(r, g, b):
    return torch.tensor([r, g, b], dtype=torch.float32).view(3, 1, 1)


def choose(where, a, b):
    return torch.where(where, a, b)


_DOTS = wave(1, 0) * wave(0, 1) > 0.4
_ORANGE, _BLUE = flat(1, 0.5, 0), flat(0, 0.5, 1)

# name -> (foreground, background); a single grey value stands for all three channels
COLOURS = {
    "plain":    (flat(1, 1, 1), flat(0, 0, 0)),
    "ink":      (flat(0, 0, 1), flat(1, 1, 0)),
    "upside":   (flat(0, 1, 1), flat(1, 0, 0)),
    "tiled":    (flat(0, 1, 0), flat(1, 0, 1)),
    "stripes":  (bars(2, 0), bars(0, 2)),
    "checker":  (flat(0.5, 0.5, 0.5), (bars(2, 0) - bars(0, 2)).abs()),
    "diagonal": (1 - wave(0.5, 0.5), wave(0.5, 0.5)),
    "dots":     (choose(_DOTS, _BLUE, _ORANGE), choose(_DOTS, _ORANGE, _BLUE)),
}


def enlarge(digits, generator=None):
    """8x8 digits as 32x32 masks; with a generator, each in a random small distortion."""
    n = len(digits)
    angle, size, shear, shift = torch.zeros(n), torch.ones(n), torch.zeros(n), torch.zeros(n, 2)
    if generator is not None:
        def uniform(limit, *shape):
            return (2 * torch.rand(*shape, generator=generator) - 1) * limit
        angle, size = uniform(math.radians(10), n), 1 + uniform(0.1, n)
        shear, shift = uniform(0.08, n), uniform(2 / 16, n, 2)       # 2 of 32 pixels
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    matrix = torch.stack([
        torch.stack([cos, shear - sin, shift[:, 0]], -1),
        torch.stack([sin, cos, shift[:, 1]], -1)], 1)
    grid = F.affine_grid(matrix, [n, 1, 32, 32], align_corners=False)
    return F.grid_sample(digits, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def paint(domain, mask):
    """Masks [n, 1, 32, 32] as images [n, 3, 32, 32] of one domain, in 0..1."""
    if domain == "upside":
        mask = mask.rot90(2, (2, 3))
    elif domain == "diagonal":
        mask = mask.rot90(1, (2, 3))
    elif domain == "tiled":
        mask = F.avg_pool2d(mask, 2).repeat(1, 1, 2, 2)
    foreground, background = COLOURS[domain]
    image = background + (foreground - background) * mask
    return image.expand(-1, 3, -1, -1)


def model_input(images):
    """uint8 images as the network takes them."""
    return images.float() / 127.5 - 1


class Data:
    """The digits, cut by position; the same rows in every domain."""

    def __init__(self):
        digits = load_digits()
        self.images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
        self.digits = torch.tensor(digits.target, dtype=torch.int64)

    def batch(self, task, size, generator):
        """Random training images, distorted, as model input, with their labels."""
        rows = torch.randint(TRAIN.start, TRAIN.stop, (size,), generator=generator)
        image = paint(task, enlarge(self.images[rows], generator))
        return 2 * image - 1, TASKS[task][1](self.digits[rows])

    def fixed(self, task, rows):
        """Undistorted images as uint8, with their labels."""
        image = paint(task, enlarge(self.images[rows]))
        return (255 * image).round().to(torch.uint8), TASKS[task][1](self.digits[rows])

# ------------------------------------------------------------------------------- model
#
# A model is a dictionary of tensors under their Hugging Face names. `embed` runs it;
# every linear layer goes through one function, so that SMILE can take that function's
# place.

LINEAR = [f"vision_model.encoder.layers.{i}.{part}"
          for i in range(CONFIG["num_hidden_layers"])
          for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                       "self_attn.out_proj", "mlp.fc1", "mlp.fc2")] + ["visual_projection"]


def new_model(generator):
    hidden, mlp = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    patch, channels = CONFIG["patch_size"], CONFIG["num_channels"]
    positions = (CONFIG["image_size"] // patch) ** 2 + 1
    model = {}

    def normal(name, std, *shape):
        model[name] = std * torch.randn(*shape, generator=generator)

    def norm(name):
        model[name + ".weight"], model[name + ".bias"] = torch.ones(hidden), torch.zeros(hidden)

    def linear(name, into, out, factor=1.0):
        normal(name + ".weight", factor * into ** -0.5, out, into)
        model[name + ".bias"] = torch.zeros(out)

    root = "vision_model."
    normal(root + "embeddings.class_embedding", hidden ** -0.5, hidden)
    normal(root + "embeddings.patch_embedding.weight", (channels * patch * patch) ** -0.5,
           hidden, channels, patch, patch)
    normal(root + "embeddings.position_embedding.weight", 0.05, positions, hidden)
    norm(root + "pre_layrnorm")                                     # spelt so in the format
    for i in range(CONFIG["num_hidden_layers"]):
        layer = f"{root}encoder.layers.{i}."
        norm(layer + "layer_norm1")
        for part in "qkv":
            linear(f"{layer}self_attn.{part}_proj", hidden, hidden)
        linear(layer + "self_attn.out_proj", hidden, hidden, 0.5)
        norm(layer + "layer_norm2")
        linear(layer + "mlp.fc1", hidden, mlp)
        linear(layer + "mlp.fc2", mlp, hidden, 0.5)
    norm(root + "post_layernorm")
    normal("visual_projection.weight", hidden ** -0.5, CONFIG["projection_dim"], hidden)
    return model


def plain_linear(model):
    return lambda name, x: F.linear(x, model[name + ".weight"], model.get(name + ".bias"))


def embed(model, pixels, linear=None):
    """Model input [n, 3, 32, 32] to image embeddings [n, projection_dim]."""
    linear = linear or plain_linear(model)
    heads = CONFIG["num_attention_heads"]

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], model[name + ".weight"], model[name + ".bias"],
                            CONFIG["layer_norm_eps"])

    root = "vision_model."
    x = F.conv2d(pixels, model[root + "embeddings.patch_embedding.weight"],
                 stride=CONFIG["patch_size"]).flatten(2).transpose(1, 2)
    first = model[root + "embeddings.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + model[root + "embeddings.position_embedding.weight"]
    x = norm(root + "pre_layrnorm", x)
    n, tokens, hidden = x.shape
    for i in range(CONFIG["num_hidden_layers"]):
        layer = f"{root}encoder.layers.{i}."
        h = norm(layer + "layer_norm1", x)
        q, k, v = (linear(f"{layer}self_attn.{part}_proj", h)
                   .view(n, tokens, heads, hidden // heads).transpose(1, 2) for part in "qkv")
        attention = (q @ k.transpose(2, 3) * (hidden // heads) ** -0.5).softmax(-1)
        h = (attention @ v).transpose(1, 2).reshape(n, tokens, hidden)
        x = x + linear(layer + "self_attn.out_proj", h)
        h = linear(layer + "mlp.fc1", norm(layer + "layer_norm2", x))
        x = x + linear(layer + "mlp.fc2", h * torch.sigmoid(1.702 * h))
    return linear("visual_projection", norm(root + "post_layernorm", x[:, 0]))


def logits(embeds, class_embeds):
    """As in zero-shot CLIP: the scaled cosine to each class."""
    return LOGIT_SCALE * F.normalize(embeds, dim=-1) @ F.normalize(class_embeds, dim=-1).T


def new_heads(generator):
    """Frozen heads: per task, one random orthonormal row for each class."""
    return {task: torch.linalg.qr(torch.randn(CONFIG["projection_dim"], len(labels),
                                              generator=generator))[0].T.contiguous()
            for task, (labels, _) in TASKS.items()}

# ---------------------------------------------------------------------------- training


def generator_for(seed, purpose):
    return torch.Generator().manual_seed(1000 * seed + purpose)


def optimize(parameters, optimizer, steps, loss):
    """Warm-up, then half a cosine to zero; gradients clipped."""
    def rate(step):
        if step < WARM_UP_STEPS:
            return (step + 1) / WARM_UP_STEPS
        return 0.5 + 0.5 * math.cos(math.pi * (step - WARM_UP_STEPS) / (steps - WARM_UP_STEPS))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM)
        optimizer.step()
        schedule.step()


def to_half(model):
    return {name: tensor.detach().half() for name, tensor in model.items()}


def pretrain(data, heads, seed):
    """All parameters, all tasks together, briefly."""
    model = new_model(generator_for(seed, 1))
    generator = generator_for(seed, 2)
    parameters = [tensor.requires_grad_() for tensor in model.values()]
    size = PRETRAIN_IMAGES_PER_TASK

    def loss():
        batches = [data.batch(task, size, generator) for task in TASKS]
        embeds = embed(model, torch.cat([images for images, _ in batches]))
        return sum(F.cross_entropy(logits(part, heads[task]), labels)
                   for part, task, (_, labels) in zip(embeds.split(size), TASKS, batches)) / len(TASKS)

    optimizer = torch.optim.AdamW(parameters, PRETRAIN_RATE, betas=(0.9, 0.98), weight_decay=0.02)
    optimize(parameters, optimizer, PRETRAIN_STEPS, loss)
    return to_half(model)


def finetune(base, task, data, heads, seed):
    """One task, and only the linear layers' weights and biases."""
    model = {name: tensor.float() for name, tensor in base.items()}
    generator = generator_for(seed, 100 + list(TASKS).index(task))
    parameters = [model[layer + suffix].requires_grad_()
                  for layer in LINEAR for suffix in (".weight", ".bias") if layer + suffix in model]

    def loss():
        images, labels = data.batch(task, FINETUNE_BATCH, generator)
        return F.cross_entropy(logits(embed(model, images), heads[task]), labels)

    optimizer = torch.optim.SGD(parameters, FINETUNE_RATE, momentum=0.9)
    optimize(parameters, optimizer, FINETUNE_STEPS, loss)
    return to_half(model)

# ------------------------------------------------------------------------------- SMILE


class Smile:
    """A SMILE fusion of the experts, as the `linear` function of the base model.

    Per linear layer and expert e: difference D = W_e - W_0 = U S V^T. A token x goes to
    the top_k experts with the largest softmax over |V[:, :gate_k]^T x|, the weights
    renormalised, and the layer is
    W_0 x + b_0 + sum of weight * (U S V^T x cut to rank k + b_e - b_0); k = -1 keeps D whole.
    Every parameter outside the linear layers is the base's. `forced` sends every token
    to one expert instead (the routing oracle).
    """

    def __init__(self, base, experts, gate_k, k, top_k):
        self.base, self.top_k, self.forced = base, top_k, None
        self.parameters = count(base)
        self.layers, self.chosen = {}, {}
        for name in LINEAR:
            weight, bias = base[name + ".weight"], base.get(name + ".bias")
            gates, parts = [], []
            for expert in experts:
                delta = expert[name + ".weight"] - weight
                u, s, vh = torch.linalg.svd(delta.double(), full_matrices=False)
                rank = int((s > s[0] * max(delta.shape) * torch.finfo(s.dtype).eps).sum())
                gates.append(vh[:min(gate_k, rank)].to(delta.dtype))
                r = min(k, rank)
                low_rank = None if k <= 0 else (u[:, :r].to(delta.dtype),
                                                (s[:r, None] * vh[:r]).to(delta.dtype))
                shift = None if bias is None else expert[name + ".bias"] - bias
                parts.append((delta, low_rank, shift))
                self.parameters += gates[-1].numel() + (0 if bias is None else bias.numel())
                self.parameters += sum(t.numel() for t in low_rank or (delta,))
            self.layers[name] = weight, bias, gates, parts

    def __call__(self, name, x):
        weight, bias, gates, parts = self.layers[name]
        tokens = x.reshape(-1, x.shape[-1])
        if self.forced is None:
            strengths = torch.stack([(tokens @ gate.T).norm(dim=-1) for gate in gates], -1)
            share, index = strengths.softmax(-1).topk(self.top_k)
            share = share / share.sum(-1, keepdim=True)
        else:
            index = torch.full((len(tokens), 1), self.forced)
            share = torch.ones(len(tokens), 1, dtype=tokens.dtype)
        self.chosen[name] = index[:, 0]
        y = F.linear(tokens, weight, bias)
        for e, (delta, low_rank, shift) in enumerate(parts):
            rows, slot = (index == e).nonzero(as_tuple=True)
            part = tokens[rows]
            out = part @ delta.T if low_rank is None else part @ low_rank[1].T @ low_rank[0].T
            if shift is not None:
                out = out + shift
            y.index_add_(0, rows, share[rows, slot, None] * out)
        return y.view(*x.shape[:-1], -1)

# ------------------------------------------------------------------------- evaluation


def count(model):
    return sum(tensor.numel() for tensor in model.values())


def convert(model, dtype):
    return {name: tensor.to(dtype) for name, tensor in model.items()}


def accuracy(model, images, labels, class_embeds, linear=None):
    dtype = model["visual_projection.weight"].dtype
    embeds = embed(model, model_input(images).to(dtype), linear)
    return 100 * (logits(embeds, class_embeds.to(dtype)).argmax(-1) == labels).double().mean().item()


def merge(base, experts, coefficient):
    """base + coefficient * sum of the differences (1/E is the simple average)."""
    return {name: w + coefficient * sum(e[name] - w for e in experts) for name, w in base.items()}


def ties(base, experts, coefficient):
    """TIES: keep the largest entries, elect a sign, average the entries that agree."""
    names = list(base)
    deltas = torch.stack([torch.cat([(e[n] - base[n]).flatten() for n in names]) for e in experts])
    keep = int(TIES_KEEP * deltas.shape[1])
    limits = deltas.abs().kthvalue(deltas.shape[1] - keep + 1, dim=1, keepdim=True).values
    deltas = deltas * (deltas.abs() >= limits)
    agree = (deltas.sign() == deltas.sum(0).sign()) & (deltas != 0)
    merged = coefficient * (deltas * agree).sum(0) / agree.sum(0).clamp(min=1)
    pieces = merged.split([base[n].numel() for n in names])
    return {n: base[n] + piece.view_as(base[n]) for n, piece in zip(names, pieces)}


class Evaluation:
    """Accuracies of models and fusions on one set of rows per task, in percent."""

    def __init__(self, base, experts, heads, sets, dtype=torch.float64):
        self.base = convert(base, dtype)
        self.experts = {task: convert(model, dtype) for task, model in experts.items()}
        self.heads, self.sets, self.dtype = heads, sets, dtype

    def row(self, per_task, parameters):
        """per_task(i, task) -> model, linear function or None."""
        result = {}
        for i, (task, (images, labels)) in enumerate(self.sets.items()):
            model, linear = per_task(i, task)
            result[task] = accuracy(model, images, labels, self.heads[task], linear)
        result["avg"] = sum(result.values()) / len(result)
        return {**{name: round(value, 2) for name, value in result.items()}, "parameters": parameters}

    def single(self, model):
        return self.row(lambda i, task: (model, None), count(model))

    def pretrained(self):
        return self.single(self.base)

    def finetuned(self):
        return self.row(lambda i, task: (self.experts[task], None),
                        sum(count(model) for model in self.experts.values()))

    def merged(self, method, coefficient):
        return self.single(method(self.base, list(self.experts.values()), coefficient))

    def smile(self, gate_k, k, top_k):
        """Accuracies, and the share of tokens whose first expert is the task's own."""
        fused = Smile(self.base, self.experts.values(), gate_k, k, top_k)
        shares = {}

        def after(i, task):
            if i:
                note(i - 1)
            return self.base, fused

        def note(i):
            layers = {name.replace("vision_model.encoder.layers.", ""):
                      (index == i).double().mean().item() for name, index in fused.chosen.items()}
            shares[list(self.sets)[i]] = {
                "mean": round(sum(layers.values()) / len(layers), 3),
                "layers": {name: round(share, 3) for name, share in layers.items()}}

        row = self.row(after, fused.parameters)
        note(len(self.sets) - 1)
        return row, shares

    def oracle(self):
        fused = Smile(self.base, self.experts.values(), 1, -1, 1)

        def force(i, task):
            fused.forced = i
            return self.base, fused

        return self.row(force, None)

    def overlap(self):
        """How alike the tasks' inputs are to the base's first linear layer: the mean
        |cosine| between the tasks' mean inputs. Needs neither labels nor experts."""
        means = []
        for images, _ in self.sets.values():
            seen = {}

            def record(name, x):
                seen.setdefault(name, x.reshape(-1, x.shape[-1]).mean(0))
                return plain_linear(self.base)(name, x)

            embed(self.base, model_input(images).to(self.dtype), record)
            means.append(F.normalize(seen[LINEAR[0]], dim=0))
        cosines = (torch.stack(means) @ torch.stack(means).T).abs()
        n = len(means)
        return round(((cosines.sum() - n) / (n * (n - 1))).item(), 3)


def smile_name(gate_k, k, top_k):
    return f"smile gate_k={gate_k} k={k if k > 0 else '-1 (dense)'} top_k={top_k}"


def choose_merges(validation):
    """The coefficient of each merging method that is best on the validation rows."""
    def best(method):
        return max(MERGE_COEFFICIENTS, key=lambda c: validation.merged(method, c)["avg"])
    return {"task arithmetic": best(merge), "ties": best(ties)}


def all_methods(evaluation, coefficients):
    methods, routing = {}, {}
    methods["pretrained"] = evaluation.pretrained()
    methods["finetuned (each on its own task)"] = evaluation.finetuned()
    methods["simple average"] = evaluation.merged(merge, 1 / len(TASKS))
    c = coefficients["task arithmetic"]
    methods[f"task arithmetic lambda={c}"] = evaluation.merged(merge, c)
    c = coefficients["ties"]
    methods[f"ties keep={TIES_KEEP:.0%} mean lambda={c}"] = evaluation.merged(ties, c)
    for setting in [SMILE] + SMILE_VARIATIONS:
        name = smile_name(*setting)
        methods[name], routing[name] = evaluation.smile(*setting)
    methods["oracle routing, dense experts, base non-linear parameters"] = evaluation.oracle()
    return methods, routing


def print_table(title, methods):
    print(f"\n{title}\n| method | " + " | ".join(TASKS) + " | average | parameters |")
    print("|---" * (len(TASKS) + 3) + "|")
    for name, row in methods.items():
        cells = [f"{row[task]:.1f}" for task in TASKS] + [f"{row['avg']:.1f}"]
        print(f"| {name} | " + " | ".join(cells) + f" | {row['parameters'] or '-'} |")

# ------------------------------------------------------------------------------- files

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8}


def write_safetensors(path, tensors, metadata=None):
    """Length of the header, header (JSON, padded to 8 bytes), the tensors' bytes."""
    header, blobs, offset = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, tensor in tensors.items():
        array = tensor.contiguous().numpy()
        code = next(code for code, dtype in DTYPES.items() if array.dtype == dtype)
        blob = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": code, "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def read_safetensors(path):
    content = path.read_bytes()
    start = 8 + struct.unpack_from("<Q", content)[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(content[start + begin:start + end], DTYPES[entry["dtype"]])
        tensors[name] = torch.tensor(array.reshape(entry["shape"]))
    return tensors


def write_png(path, picture):
    """A uint8 picture [height, width, 3]."""
    height, width, _ = picture.shape

    def chunk(kind, content):
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))

    lines = b"".join(b"\0" + picture[y].tobytes() for y in range(height))
    path.write_bytes(b"\x89PNG\r\n\x1a\n"
                     + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


def write_model(folder, model):
    write_safetensors(folder / "model.safetensors", dict(sorted(model.items())), {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


def write_pool(output, base, experts, heads, data):
    write_model(output / "_pretrained_", base)
    pictures = []
    for task, (names, _) in TASKS.items():
        write_model(output / task, experts[task])
        write_safetensors(output / "heads" / f"{task}.safetensors",
                          {"class_embeds": heads[task], "logit_scale": torch.tensor([LOGIT_SCALE])},
                          {"labels": json.dumps(names)})
        images, labels = data.fixed(task, TEST)
        images, labels = images[:STORED_TEST_ROWS], labels[:STORED_TEST_ROWS]
        write_safetensors(output / "data" / f"{task}_test.safetensors",
                          {"images": images, "labels": labels})
        # one column per domain, the first four test images, at twice their size
        column = np.concatenate(list(images[:4].permute(0, 2, 3, 1).numpy()), 0)
        pictures.append(np.pad(column.repeat(2, 0).repeat(2, 1), ((0, 0), (2, 2), (0, 0)),
                               constant_values=255))
    write_png(output / "domains.png", np.concatenate(pictures, 1))


def read_pool(output):
    """Base, experts, heads and the stored test rows, from the files."""
    base = read_safetensors(output / "_pretrained_" / "model.safetensors")
    experts, heads, sets = {}, {}, {}
    for task in TASKS:
        experts[task] = read_safetensors(output / task / "model.safetensors")
        heads[task] = read_safetensors(output / "heads" / f"{task}.safetensors")["class_embeds"]
        stored = read_safetensors(output / "data" / f"{task}_test.safetensors")
        sets[task] = stored["images"], stored["labels"]
    return base, experts, heads, sets

# -------------------------------------------------------------------------------- main


def train(data, seed):
    started = time.time()
    heads = new_heads(generator_for(seed, 0))
    base = pretrain(data, heads, seed)
    print(f"pretrained, {count(base)} parameters, {time.time() - started:.0f} s", flush=True)
    experts = {}
    for task in TASKS:
        experts[task] = finetune(base, task, data, heads, seed)
        print(f"fine-tuned {task}, {time.time() - started:.0f} s", flush=True)
    return base, experts, heads


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("pool"), help="folder to write")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--validation", action="store_true",
                        help="print validation figures only; write nothing, leave the test rows alone")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)

    data = Data()
    base, experts, heads = train(data, options.seed)
    with torch.no_grad():
        validation = Evaluation(base, experts, heads,
                                {task: data.fixed(task, VALIDATION) for task in TASKS})
        coefficients = choose_merges(validation)
        overlap = validation.overlap()
        validation_methods, routing = all_methods(validation, coefficients)
        print_table(f"validation rows, seed {options.seed}", validation_methods)
        own = {task: share["mean"] for task, share in routing[smile_name(*SMILE)].items()}
        print(f"overlap of the domains at the base's first layer {overlap}; "
              f"tokens sent to their own expert {own}")
        if options.validation:
            return

        write_pool(options.output, base, experts, heads, data)
        base, experts, heads, stored = read_pool(options.output)
        every = {task: data.fixed(task, TEST) for task in TASKS}
        methods, routing = all_methods(Evaluation(base, experts, heads, stored), coefficients)
        methods_every, _ = all_methods(Evaluation(base, experts, heads, every), coefficients)
        single = Evaluation(base, experts, heads, stored, torch.float32)
        precision = {name: {"float64": methods[name], "float32": single.smile(*setting)[0]}
                     for setting in (SMILE, (16, 32, 2)) for name in [smile_name(*setting)]}

    results = {
        "tasks": {task: {"classes": len(names), "labels": names, "train": TRAIN.stop - TRAIN.start,
                         "validation": VALIDATION.stop - VALIDATION.start,
                         "test": TEST.stop - TEST.start, "test_stored": STORED_TEST_ROWS}
                  for task, (names, _) in TASKS.items()},
        "config": CONFIG,
        "logit_scale": LOGIT_SCALE,
        "seed": options.seed,
        "versions": {"torch": torch.__version__, "numpy": np.__version__,
                     "scikit-learn": sklearn.__version__},
        "pretrained_parameters": count(base),
        "merge_coefficients_chosen_on_validation": coefficients,
        "methods": methods,
        "methods_all_360_test_rows": methods_every,
        "methods_validation_rows": validation_methods,
        "routing": {name: routing[name] for name in [smile_name(*SMILE)]},
        "first_layer_overlap_validation_rows": overlap,
        "precision_check": precision,
    }
    (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print_table(f"the {STORED_TEST_ROWS} stored test rows per task", methods)
    print_table("all 360 test rows per task", methods_every)


if __name__ == "__main__":
    main()

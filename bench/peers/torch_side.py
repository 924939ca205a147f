#!/usr/bin/env python3
"""The MLP's training step, or the worked example, in PyTorch, behind the line protocol of bench/common/protocol.h.

    torch_side.py MODE FOLDER BATCH THREADS   MODE: eager, eager-foreach, compile
    torch_side.py worked THREADS

FOLDER holds the data that bench/common/mlp_data.h describes. eager is what PyTorch does best without compiling: Adam with
fused=True; eager-foreach is the Adam one gets without asking; compile puts torch.compile around forward and loss, its
Adam fused too. Denormals are flushed, as in the C reference.
"""
import itertools
import json
import os
import statistics
import sys
import time

import torch

SIZES = [784, 512, 256, 10]
BATCHES = 8
WARM_UP = 2  # as in bench/common/protocol.c


def read(path, dtype, *shape):
    """A tensor from a raw little-endian file."""
    with open(path, "rb") as f:
        return torch.frombuffer(bytearray(f.read()), dtype=dtype).clone().reshape(*shape)


class Mlp:
    calls = 1

    def __init__(self, mode, folder, batch):
        self.name = f"PyTorch {torch.__version__} {mode}"
        self.fused = mode != "eager-foreach"
        self.initial = read(os.path.join(folder, "parameters.f32"), torch.float32, -1)
        self.x = read(os.path.join(folder, "x.f32"), torch.float32, BATCHES, batch, SIZES[0])
        self.y = read(os.path.join(folder, "y.i32"), torch.int32, BATCHES, batch).long()
        layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(SIZES)]
        self.net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
        self.layers = layers
        self.loss = lambda x, y: torch.nn.functional.cross_entropy(self.net(x), y)
        if mode == "compile": self.loss = torch.compile(self.loss)

    def reset(self):
        at = 0
        with torch.no_grad():
            for layer in self.layers:
                out, inputs = layer.weight.shape
                layer.weight.copy_(self.initial[at:at + inputs * out].reshape(inputs, out).t())
                at += inputs * out
                layer.bias.copy_(self.initial[at:at + out])
                at += out
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                                     fused=self.fused, foreach=not self.fused)

    def step(self, i):
        k = i % BATCHES
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(self.x[k], self.y[k])
        loss.backward()
        self.adam.step()
        return loss.item()


class Worked:
    calls = 1000  # in a step; its time is divided by this

    def __init__(self):
        self.name = f"PyTorch {torch.__version__} eager"

    def reset(self):
        self.w = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        self.x = torch.tensor(1.0, dtype=torch.float64)
        self.y = torch.tensor(2.0, dtype=torch.float64)

    def step(self, i):
        with torch.no_grad(): self.w.fill_(1 + i % 64 / 16)
        for _ in range(self.calls):
            self.w.grad = None
            loss = (self.w * self.x - self.y) ** 2
            loss.backward()
        return loss.item()


def run(side, n):
    side.reset()
    for i in range(WARM_UP): side.step(i)
    times = []
    for i in range(n):
        start = time.perf_counter_ns()
        side.step(WARM_UP + i)
        times.append((time.perf_counter_ns() - start) / side.calls)
    return {"ns": statistics.median(times)}


def losses(side, n):
    side.reset()
    return {"losses": [side.step(i) for i in range(n)]}


def answer(side, words):
    verbs = {"run": run, "losses": losses}
    if len(words) != 2 or words[0] not in verbs or not words[1].isdecimal() or int(words[1]) < 1:
        return {"error": "expected: run N, losses N, or quit"}
    return verbs[words[0]](side, int(words[1]))


def main():
    words = sys.argv[1:]
    if len(words) not in (2, 4): sys.exit(__doc__)
    torch.set_num_threads(int(words[-1]))
    torch.set_flush_denormal(True)
    side = Worked() if words[0] == "worked" else Mlp(words[0], words[1], int(words[2]))
    print(json.dumps({"ready": side.name, "note": ""}), flush=True)
    for line in sys.stdin:
        if line.startswith("quit"): break
        print(json.dumps(answer(side, line.split())), flush=True)


main()

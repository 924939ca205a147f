#!/usr/bin/env python3
"""The questions of bench/run.py answered by PyTorch, behind the line protocol of bench/common/protocol.h.

    torch_side.py worked MODE
    torch_side.py reduce MODE N THREADS
    torch_side.py layer MODE QUESTION SIZES.. THREADS      those of bench/common/layer.h
    torch_side.py small MODE
    torch_side.py mlp MODE FOLDER BATCH THREADS      FOLDER holds the data that bench/common/mlp_data.h describes

MODE: eager, eager-foreach, compile. eager is what PyTorch does best without compiling: Adam with fused=True; eager-foreach is
the Adam one gets without asking; compile puts torch.compile around forward and loss, its Adam fused too. Denormals are
flushed, as in the C reference.
"""
import itertools
import sys

import numpy
import torch

import protocol


class Question:
    calls, note = 1, ""

    def __init__(self, mode):
        self.name = f"PyTorch {torch.__version__} {mode}"
        self.compile = torch.compile if mode == "compile" else lambda f: f


class Mlp(Question):
    def __init__(self, mode, folder, batch):
        super().__init__(mode)
        self.fused = mode != "eager-foreach"
        weights, x, y = protocol.data(folder, int(batch), numpy)
        self.initial = [torch.from_numpy(w.copy()) for w in weights]
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y).long()
        self.layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(protocol.SIZES)]
        one, two, three = self.layers
        self.net = torch.nn.Sequential(one, torch.nn.ReLU(), two, torch.nn.ReLU(), three)
        self.loss = self.compile(lambda x, y: torch.nn.functional.cross_entropy(self.net(x), y))

    def reset(self):
        with torch.no_grad():
            for k, layer in enumerate(self.layers):
                layer.weight.copy_(self.initial[2 * k].t())
                layer.bias.copy_(self.initial[2 * k + 1])
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8,
                                     fused=self.fused, foreach=not self.fused)

    def step(self, i):
        k = i % protocol.BATCHES
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(self.x[k], self.y[k])
        loss.backward()
        self.adam.step()
        return loss.item()


class Worked(Question):
    calls = 1000

    def reset(self):
        self.w = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        self.x = torch.tensor(1.0, dtype=torch.float64)
        self.y = torch.tensor(2.0, dtype=torch.float64)
        self.loss = self.compile(lambda w, x, y: (w * x - y) ** 2)

    def step(self, i):
        with torch.no_grad(): self.w.fill_(1 + i % 64 / 16)
        for _ in range(self.calls):
            self.w.grad = None
            loss = self.loss(self.w, self.x, self.y)
            loss.backward()
        return loss.item()


class Reduce(Question):
    def __init__(self, mode, n):
        super().__init__(mode)
        x = torch.from_numpy(protocol.numbers(int(float(n)), numpy))
        self.leaves = [v.requires_grad_() for v in (x, torch.tensor(0.5), torch.tensor(0.25), torch.tensor(0.75))]
        self.value = self.compile(lambda x, a, b, c: (torch.tanh(a * x + b) * torch.sigmoid(c * x)).sum())

    def reset(self): pass

    def step(self, i):
        with torch.no_grad(): self.leaves[1].fill_(0.5 + i % 8 / 16)
        for leaf in self.leaves: leaf.grad = None
        value = self.value(*self.leaves)
        value.backward()
        return float(value) + sum(float(leaf.grad) for leaf in self.leaves[1:])


class Layer(Question):
    def __init__(self, mode, name, *sizes):
        super().__init__(mode)
        layer, f = protocol.Layer(numpy, name, *sizes), torch.nn.functional
        tensors = [torch.from_numpy(x) for x in layer.inputs]
        self.cotangent = tensors.pop() if layer.has_cotangent else None
        self.leaves = [t.requires_grad_() for t in tensors]
        classes = torch.from_numpy(layer.classes)
        self.value = self.compile({
            "softmax": lambda x: f.cross_entropy(x, classes, reduction="sum"),
            "layer_norm": lambda x, gain, bias: f.layer_norm(x, x.shape[-1:], gain, bias),
            "gelu": f.gelu,
            "attention": lambda q, k, v: f.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0],
        }[name])

    def reset(self): pass

    def step(self, i):
        for leaf in self.leaves: leaf.grad = None
        value = self.value(*self.leaves)
        value.backward(self.cotangent)
        return protocol.sample([value.detach(), *(leaf.grad for leaf in self.leaves)], i)


class Small(Question):
    calls = 100

    def __init__(self, mode):
        super().__init__(mode)
        x, y, self.initial = protocol.small(numpy)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.loss = self.compile(self.written)

    def written(self, p):
        w1, b1, w2, b2, w3, b3 = p
        score = (torch.relu(torch.relu(self.x @ w1 + b1) @ w2 + b2) @ w3 + b3)[:, 0]
        return torch.relu(1 - self.y * score).mean() + 1e-4 * sum((v * v).sum() for v in p)

    def reset(self):
        self.p = [torch.from_numpy(v.copy()).requires_grad_() for v in self.initial]
        self.descent = torch.optim.SGD(self.p, lr=0.05)

    def step(self, i):
        for _ in range(self.calls):
            self.descent.zero_grad(set_to_none=True)
            loss = self.loss(self.p)
            loss.backward()
            self.descent.step()
        return loss.item()


def main():
    questions = {"worked": Worked, "reduce": Reduce, "layer": Layer, "small": Small, "mlp": Mlp}
    if len(sys.argv) < 3 or sys.argv[1] not in questions: sys.exit(__doc__)
    question, mode, *words = sys.argv[1:]
    torch.set_num_threads(int(words.pop()) if words else 1)
    torch.set_flush_denormal(True)
    torch.ones(1, requires_grad=True).square().sum().backward()
    protocol.idle()
    protocol.serve(questions[question](mode, *words))


main()

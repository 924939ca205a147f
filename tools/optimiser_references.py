#!/usr/bin/env python3
"""Writes tests/data/optimisers.inc: what optimisers make of a parameter in 10 steps, by PyTorch; Lion and LAMB, which it lacks, as
their papers write them (Chen et al. 2023, algorithm 2; You et al. 2020, algorithm 2 with phi(x) = x).

    pip install torch; tools/optimiser_references.py > tests/data/optimisers.inc

    STEPS(method, p0, p1, p2)   after 10 steps from (1, -2, 0.5) on sum(c (p - t)^2) + p0 p1 p2, c = (1, 10, 0.1), t = (0, 1, 2)"""
import math

import torch

C, T, START, STEPS = [1.0, 10.0, 0.1], [0.0, 1.0, 2.0], [1.0, -2.0, 0.5], 10
c, t = torch.tensor(C, dtype=torch.float64), torch.tensor(T, dtype=torch.float64)


def loss(p):
    return (c * (p - t) ** 2).sum() + p.prod()


def run(make, clip=None, clip_norm=None, schedule=None):
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    o = make([p])
    for i in range(STEPS):
        if schedule:
            o.param_groups[0]["lr"] = schedule(i)
        o.zero_grad()
        loss(p).backward()
        if clip:
            torch.nn.utils.clip_grad_value_([p], clip)
        if clip_norm:  # PyTorch adds 1e-6 to the norm it divides by; Pascanu et al. do not
            n = p.grad.norm()
            if n > clip_norm:
                p.grad *= clip_norm / n
        o.step()
    return p.tolist()


def gradient(p):
    x = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    loss(x).backward()
    return x.grad.tolist()


def lion(rate, b1, b2, decay):
    p, m = list(START), [0.0] * 3
    for _ in range(STEPS):
        g = gradient(p)
        u = [math.copysign(1, b1 * m[i] + (1 - b1) * g[i]) + decay * p[i] for i in range(3)]
        m = [b2 * m[i] + (1 - b2) * g[i] for i in range(3)]
        p = [p[i] - rate * u[i] for i in range(3)]
    return p


def lamb(rate, b1, b2, eps, decay):
    p, m, v = list(START), [0.0] * 3, [0.0] * 3
    for k in range(1, STEPS + 1):
        g = gradient(p)
        m = [b1 * m[i] + (1 - b1) * g[i] for i in range(3)]
        v = [b2 * v[i] + (1 - b2) * g[i] ** 2 for i in range(3)]
        r = [m[i] / (1 - b1**k) / (math.sqrt(v[i] / (1 - b2**k)) + eps) + decay * p[i] for i in range(3)]
        trust = math.hypot(*p) / math.hypot(*r)
        p = [p[i] - rate * trust * r[i] for i in range(3)]
    return p


O = torch.optim
CASES = {
    "sgd": run(lambda p: O.SGD(p, lr=0.01)),
    "sgd(rate=0.02, momentum=0.9)": run(lambda p: O.SGD(p, lr=0.02, momentum=0.9)),
    "sgd(rate=0.02, momentum=0.9, nesterov=true, decay=0.1)": run(
        lambda p: O.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.1)),
    "sgd(rate=0.05*0.5^(step//3))": run(lambda p: O.SGD(p, lr=0.05), schedule=lambda i: 0.05 * 0.5 ** (i // 3)),
    "sgd(clip=3)": run(lambda p: O.SGD(p, lr=0.01), clip=3.0),
    "sgd(clip_norm=2)": run(lambda p: O.SGD(p, lr=0.01), clip_norm=2.0),
    "rmsprop": run(lambda p: O.RMSprop(p)),
    "rmsprop(rate=0.02, rho=0.9, momentum=0.5, decay=0.01)": run(
        lambda p: O.RMSprop(p, lr=0.02, alpha=0.9, momentum=0.5, weight_decay=0.01)),
    "adagrad": run(lambda p: O.Adagrad(p)),
    "adagrad(rate=0.3, decay=0.1)": run(lambda p: O.Adagrad(p, lr=0.3, weight_decay=0.1)),
    "adam": run(lambda p: O.Adam(p)),
    "adam(rate=0.1, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.2)": run(
        lambda p: O.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.2)),
    "adamw": run(lambda p: O.AdamW(p)),
    "adamw(rate=0.1, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.2)": run(
        lambda p: O.AdamW(p, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.2)),
    "lion": lion(1e-4, 0.9, 0.99, 0),
    "lion(rate=0.05, beta1=0.8, beta2=0.7, decay=0.1)": lion(0.05, 0.8, 0.7, 0.1),
    "lamb": lamb(0.001, 0.9, 0.999, 1e-6, 0.01),
    "lamb(rate=0.1, beta1=0.8, beta2=0.9, eps=1e-3, decay=0.2)": lamb(0.1, 0.8, 0.9, 1e-3, 0.2),
}
print("/* Made by tools/optimiser_references.py with PyTorch", torch.__version__.split("+")[0] + ". */")
for method, p in CASES.items():
    print(f'STEPS("{method}", {p[0]!r}, {p[1]!r}, {p[2]!r})')

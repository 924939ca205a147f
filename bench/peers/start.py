#!/usr/bin/env python3
"""A whole process for one gradient: start.py torch|jax|casadi W X Y prints dloss/dw of loss = (w*x - y)^2."""
import sys


def with_torch(w, x, y):
    import torch
    w = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    ((w * x - y) ** 2).backward()
    return w.grad.item()


def with_jax(w, x, y):
    import jax
    return float(jax.grad(lambda w: (w * x - y) ** 2)(w))


def with_casadi(w, x, y):
    import casadi as ca
    s = ca.SX.sym("w")
    return float(ca.Function("d", [s], [ca.gradient((s * x - y) ** 2, s)])(w))


print({"torch": with_torch, "jax": with_jax, "casadi": with_casadi}[sys.argv[1]](*map(float, sys.argv[2:])))

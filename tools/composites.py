#!/usr/bin/env python3
"""Writes tests/data/composites.inc: what convolutions, pools, batch norm, attention and einsum give, by NumPy and SciPy.

    pip install numpy scipy; tools/composites.py > tests/data/composites.inc

    CASE(formula, operand, operand, result)     T(rank, D(dims), numbers); operands are x and y, of quarters
    EINSUM(indices, operand, operand, result)"""
import numpy as np
from scipy import signal

rng = np.random.default_rng(4)


def some(*dims):
    return rng.integers(-12, 13, dims) / 4


def text(a):
    a = np.asarray(a, float)
    numbers = ", ".join("-INFINITY" if v == -np.inf else repr(float(v)) for v in a.ravel()) or "0"
    return f"T({a.ndim}, D({', '.join(map(str, a.shape)) or '0'}), {numbers})"


def case(formula, x, y, result, word="CASE"):
    print(f'{word}("{formula}", {text(x)}, {text(y)}, {text(result)})')


def conv(x, w, stride, dilation, before, after, groups):
    """By SciPy's correlation of every channel with every kernel, thinned out."""
    d = x.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0)] + list(zip(before, after)))
    wide = np.zeros(w.shape[:2] + tuple((k - 1) * s + 1 for k, s in zip(w.shape[2:], dilation)))
    wide[(slice(None), slice(None)) + tuple(slice(None, None, s) for s in dilation)] = w
    per_in, per_out = w.shape[1], w.shape[0] // groups
    thin = tuple(slice(None, None, s) for s in stride)
    return np.array([[sum(signal.correlate(image[o // per_out * per_in + i], wide[o, i], "valid", "direct")[thin] for i in range(per_in))
                      for o in range(w.shape[0])] for image in x]).reshape((x.shape[0], w.shape[0]) + tuple(
                          (n - k) // s + 1 for n, k, s in zip(x.shape[2:], wide.shape[2:], stride))) if d else None


def conv_transpose(x, w, stride, dilation, before, after, groups):
    """By SciPy's full convolution with x, zeros put between."""
    wide = np.zeros(w.shape[:2] + tuple((k - 1) * s + 1 for k, s in zip(w.shape[2:], dilation)))
    wide[(slice(None), slice(None)) + tuple(slice(None, None, s) for s in dilation)] = w
    apart = np.zeros(x.shape[:2] + tuple((n - 1) * s + 1 for n, s in zip(x.shape[2:], stride)))
    apart[(slice(None), slice(None)) + tuple(slice(None, None, s) for s in stride)] = x
    per_in, per_out = w.shape[0] // groups, w.shape[1]
    y = np.array([[sum(signal.convolve(image[o // per_out * per_in + i], wide[o // per_out * per_in + i, o % per_out], "full", "direct")
                       for i in range(per_in)) for o in range(per_out * groups)] for image in apart])
    cut = tuple(slice(max(b, 0), n - max(a, 0)) for n, b, a in zip(y.shape[2:], before, after))
    y = y[(slice(None), slice(None)) + cut]
    return np.pad(y, [(0, 0), (0, 0)] + [(max(-b, 0), max(-a, 0)) for b, a in zip(before, after)])


def convolutions():
    for f, name, shapes in ((conv, "conv", (((2, 3, 7), (4, 3, 3)), ((1, 2, 4, 5), (2, 2, 2, 3)), ((1, 4, 3, 3), (2, 2, 2, 2)),
                                            ((1, 2, 3, 2, 3), (1, 2, 2, 2, 2)))),
                            (conv_transpose, "conv_transpose", (((2, 3, 4), (3, 2, 3)), ((1, 2, 2, 3), (2, 2, 2, 2)), ((1, 4, 2, 2), (4, 1, 2, 2)),
                                                                ((1, 2, 1, 2, 2), (2, 1, 2, 1, 2))))):
        for k, (sx, sw) in enumerate(shapes):
            x, w, d = some(*sx), some(*sw), len(sx) - 2
            one, none, groups = [1] * d, [0] * d, 2 if k == 2 else 1
            tail = f", groups={groups}" if groups > 1 else ""
            case(f"{name}(x, y{tail})", x, w, f(x, w, one, one, none, none, groups))
            stride, dilation = [2, 1, 1][:d], [1, 2, 1][:d]
            before, after = [1, 2, 0][:d], [2, 1, 1][:d]
            if f is conv_transpose:
                before, after = [1, 0, 1][:d], [0, -1, 0][:d]
            named = f"stride={stride}, dilation={dilation}, before={before}, after={after}{tail}"
            case(f"{name}(x, y, {named})", x, w, f(x, w, stride, dilation, before, after, groups))
    case("conv(x, y)", np.zeros((0, 2, 3)), np.zeros((1, 2, 2)), np.zeros((0, 1, 2)))
    case("conv(x, y, stride=2, before=1, after=1)", (x := some(1, 1, 3, 4)), (w := some(1, 1, 2, 2)), conv(x, w, [2, 2], [1, 1], [1, 1], [1, 1], 1))


def pools():
    def windows(x, size, stride, dilation):
        span = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
        axes = tuple(range(-len(size), 0))
        v = np.lib.stride_tricks.sliding_window_view(x, span, axes)
        n = len(size)
        return v[(Ellipsis,) + tuple(slice(None, None, s) for s in stride) + tuple(slice(None, None, d) for d in dilation)].reshape(
            x.shape[:x.ndim - n] + tuple((m - p) // s + 1 for m, p, s in zip(x.shape[x.ndim - n:], span, stride)) + (-1,))
    nothing = 0.0
    x = rng.permutation(40).reshape(2, 5, 4) / 4 - 5  # no two alike
    case("max_pool(x, 2)", x, nothing, windows(x, [2], [2], [1]).max(-1))
    case("max_pool(x, [3, 2], stride=[2, 1])", x, nothing, windows(x, [3, 2], [2, 1], [1, 1]).max(-1))
    case("max_pool(x, [2, 2], stride=1, dilation=[3, 2])", x, nothing, windows(x, [2, 2], [1, 1], [3, 2]).max(-1))
    wide = np.pad(x, ((0, 0), (1, 0), (1, 1)), constant_values=-np.inf)
    case("max_pool(x, [2, 2], before=1, after=[0, 1])", x, nothing, windows(wide, [2, 2], [2, 2], [1, 1]).max(-1))
    case("avg_pool(x, 2)", x, nothing, windows(x, [2], [2], [1]).mean(-1))
    case("avg_pool(x, [4, 2], stride=[1, 2])", x, nothing, windows(x, [4, 2], [1, 2], [1, 1]).mean(-1))
    wide = np.pad(x, ((0, 0), (0, 1), (2, 0)))
    case("avg_pool(x, [2, 2], before=[0, 2], after=[1, 0])", x, nothing, windows(wide, [2, 2], [2, 2], [1, 1]).mean(-1))
    case("max_pool(x, 2)", np.zeros((0, 4)), nothing, np.zeros((0, 2)))


def norms():
    x, y = some(3, 2, 4), some(2)
    mean, var = x.mean((0, 2), keepdims=True), x.var((0, 2), keepdims=True)
    case("batch_norm(x, y, 2*y)", x, y, (x - mean) / np.sqrt(var + 1e-5) * y[:, None] + 2 * y[:, None])
    x = some(4, 2)
    case("batch_norm(x, y, y, eps=0.5)", x, y, (x - x.mean(0)) / np.sqrt(x.var(0) + 0.5) * y + y)
    x, y = some(2, 3, 2), some(3)
    case("batch_mean(x) + y", x, y, x.mean((0, 2)) + y)
    case("batch_var(x)*y", x, y, x.var((0, 2)) * y)
    case("batch_norm_by(x, y, y^2, 2*y, y + 1, eps=0.25)", x, y,
         (x - y[:, None]) / np.sqrt(y[:, None] ** 2 + 0.25) * 2 * y[:, None] + y[:, None] + 1)


def attentions():
    def attention(q, k, v, causal=False):
        s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        if causal:
            s = np.where(np.arange(s.shape[-1]) <= np.arange(s.shape[-2])[:, None], s, -np.inf)
        e = np.exp(s - s.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True) @ v

    x, y = some(3, 2), some(4, 2)
    case("attention(x, y, y[:, :1])", x, y, attention(x, y, y[:, :1]))
    case("attention(x, y, 2*y, causal=true)", x, y, attention(x, y, 2 * y, True))
    x, y = some(2, 2, 3, 2), some(2, 1, 3, 2)
    case("attention(x, y, y^2, causal=true)", x, y, attention(x, y, y**2, True))  # two heads share keys and values

    x = some(2, 3, 4)  # each pair as a complex number that is turned
    turn = np.exp(1j * np.arange(3)[:, None] * 100.0 ** (-np.arange(2) / 2))
    z = (x[..., ::2] + 1j * x[..., 1::2]) * turn
    case("rope(x, base=100)", x, 0.0, np.stack([z.real, z.imag], -1).reshape(x.shape))


def sums():
    for indices, sx, sy in (("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij,kj->ki", (2, 3), (4, 3)), ("i,j->ij", (3,), (2,)),
                            ("i,i->", (4,), (4,)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("ij,->ji", (2, 3), ()), ("ijk,k->i", (2, 3, 2), (2,)),
                            ("iij,j->ij", (3, 3, 2), (2,)), ("ijij,i->j", (2, 3, 2, 3), (2,)), ("abc,cbd->da", (2, 3, 2), (2, 3, 2)), ("ba,cA", (2, 3), (2, 2)),
                            (" i j , j -> i ", (2, 0), (0,)), ("iii,i->i", (2, 2, 2), (2,))):
        x, y = some(*sx), some(*sy)
        case(indices, x, y, np.einsum(indices, x, y), "EINSUM")


print("/* Made by tools/composites.py (NumPy, SciPy): what compositions give, computed without Chainrule. */")
for make in (convolutions, pools, norms, attentions, sums):
    make()

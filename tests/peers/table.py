"""What the rows of ops.py are written with: names of PyTorch's ops on one side, formulas of Chainrule on the other.

A row is a function with the parameters of PyTorch's own. It is called with what PyTorch's is called with, but that a tensor is a
Text, the name of an input (with shape, dtype and, where a formula depends on it, value), and gives the formula: one text for each
result, None where PyTorch's result has no counterpart. Skip says why a sample has none."""
import math

import torch

ROWS = {}
F = "nn.functional."
f64 = torch.float64


class Skip(Exception):
    """A sample that has no formula, and why."""


class Text(str):
    """A formula of a known shape and dtype."""

    def __new__(cls, text, shape, dtype=torch.float64, value=None):
        self = super().__new__(cls, text)
        self.shape, self.dtype, self.value = tuple(shape), dtype, value
        self.ndim, self.count = len(self.shape), math.prod(self.shape)
        return self


def row(names):
    def keep(f):
        for name in names.split():
            assert name not in ROWS, name
            ROWS[name] = f
        return f
    return keep


def rows(**formulas):
    """Rows of operands alone: name="formula in {0}, {1} ..."; __ stands for the dot."""
    for name, formula in formulas.items():
        row(name if name.startswith("__") else name.replace("__", "."))(lambda *operands, formula=formula, **none: formula.format(*map(say, together(*operands))) if not none else unknown(none))


def unknown(keywords):
    raise Skip("keywords " + ", ".join(sorted(keywords)))


def say(v):
    """A number, list or formula as text."""
    if isinstance(v, str): return v
    if isinstance(v, torch.Tensor): raise Skip("a tensor inside a list")
    if isinstance(v, bool): return "true" if v else "false"
    if isinstance(v, (list, tuple)): return "[" + ", ".join(map(say, v)) + "]"
    if isinstance(v, complex): raise Skip("complex numbers")
    return f"({v!r})" if v < 0 or v != v else repr(v)


def together(*operands):
    """Operands of different rank, where one is stretched too: here that is an error unless the new axes are written."""
    sizes = [o.shape for o in operands if isinstance(o, Text) and o.ndim]
    rank = max(map(len, sizes), default=0)
    if all(len(s) == rank for s in sizes) or all(len({1, *n}) == 1 or len(set(n)) == 1 for n in zip(*[s[len(s) - min(map(len, sizes)):] for s in sizes])): return operands
    return [Text(f"{o}[{', '.join(['None'] * (rank - o.ndim))}]", (1,) * (rank - o.ndim) + o.shape, o.dtype, o.value)
            if isinstance(o, Text) and 0 < o.ndim < rank else o for o in operands]


def broadcasting(f):
    return lambda *operands, **named: f(*together(*operands), **named)


def numel(x): return x.count if isinstance(x, Text) else 1


def shape(x): return x.shape if isinstance(x, Text) else ()


def axes(dim, keepdim=False):
    """The attributes of a reduction."""
    if dim is None or dim == () or dim == []: return ", keep=true" if keepdim else ""
    return f", axis={say(dim)}" + (", keep=true" if keepdim else "")


def reshape(x, dims): return Text(f"reshape({x}, {say(list(dims))})", dims, x.dtype)


def lifted(f):
    """PyTorch lets a scalar have an axis; here it becomes a vector of one on the way."""
    def g(x, *rest, **named):
        if not isinstance(x, Text) or x.ndim: return f(x, *rest, **named)
        y = f(Text(f"{x}[None]", (1,), x.dtype), *[r if not isinstance(r, Text) or r.ndim else Text(f"{r}[None]", (1,), r.dtype, r.value) for r in rest], **named)
        back = lambda t: t if t is None else f"reshape({t}, [])"  # noqa: E731
        return [back(t) for t in y] if isinstance(y, (list, tuple)) else back(y)
    return g


def same_dtype(dtype):
    if dtype not in (None, torch.float64): raise Skip(f"another dtype on the way: {dtype}")


def at(x, dim, index):
    """x[:, ..., index] at this axis."""
    return f"{x}[" + ", ".join([":"] * (dim % x.ndim) + [str(index)]) + "]"


def pairs(name):
    """A row whose operands broadcast."""
    return lambda f: row(name)(broadcasting(f))


def times(alpha): return "" if alpha == 1 else f"{say(alpha)}*"


def sizes(dims): return list(dims[0]) if len(dims) == 1 and isinstance(dims[0], (list, tuple)) else list(dims)


def permuted(x, order): return f"permute({x}, {say(list(order))})" if x.ndim else f"{x}"


def every(v, d): return [v] * d if isinstance(v, int) else list(v) * (d if len(v) == 1 else 1)


def vector_norm(x, p=2, dim=None, keepdim=False):
    a = axes(dim, keepdim)
    if p in (None, 2, "fro"): return f"norm({x}{a})"
    if p == 1: return f"norm1({x}{a})"
    if p == 0: return f"sum(where({x} == 0, 0.0, 1.0){a})"
    if math.isinf(p): return f"{'max' if p > 0 else 'min'}(abs({x}){a})"
    return f"norm_p({x}, {say(p)}{a})"

"""Reductions, norms, and what runs along an axis."""
import math

import torch

from table import Skip, Text, at, axes, lifted, pairs, reshape, row, same_dtype, say, together, vector_norm

# ---- Reductions ----
def reduction(torch_name, ours):
    @row(torch_name)
    @lifted
    def _(x, dim=None, keepdim=False, *, dtype=None): return same_dtype(dtype) or f"{ours}({x}{axes(dim, keepdim)})"


for names, ours in [("sum", "sum"), ("mean", "mean"), ("prod", "prod"), ("amax", "max"), ("amin", "min"), ("logsumexp", "logsumexp"), ("any", "any"), ("all", "all")]:
    reduction(names, ours)
row("max|reduction_no_dim")(lambda x: f"max({x})")
row("min|reduction_no_dim")(lambda x: f"min({x})")
row("max|reduction_with_dim")(lifted(lambda x, dim, keepdim=False: [f"max({x}{axes(dim, keepdim)})", argument("max", x, dim, keepdim)]))
row("min|reduction_with_dim")(lifted(lambda x, dim, keepdim=False: [f"min({x}{axes(dim, keepdim)})", argument("min", x, dim, keepdim)]))
row("nansum")(lifted(lambda x, dim=None, keepdim=False: f"sum(where(isnan({x}), 0, {x}){axes(dim, keepdim)})"))
row("nanmean")(lifted(lambda x, dim=None, keepdim=False: f"sum(where(isnan({x}), 0, {x}){axes(dim, keepdim)})/sum(not isnan({x}){axes(dim, keepdim)})"))
row("count_nonzero")(lifted(lambda x, dim=None: f"sum({x} != 0{axes(dim)})"))
row("aminmax")(lifted(lambda x, dim=None, keepdim=False: [f"min({x}{axes(dim, keepdim)})", f"max({x}{axes(dim, keepdim)})"]))


def argument(which, x, dim, keepdim):
    if dim is None: return f"arg{which}(reshape({x}, [-1]))" + (f"[{', '.join(['None'] * x.ndim)}]" if keepdim and x.ndim else "")
    y = f"arg{which}({x}, axis={dim})"
    return f"expand_dims({y}, axis={dim})" if keepdim else y


row("argmax")(lifted(lambda x, dim=None, keepdim=False: argument("max", x, dim, keepdim)))
row("argmin")(lifted(lambda x, dim=None, keepdim=False: argument("min", x, dim, keepdim)))


def elements(x, dim):
    return x.count if dim is None or dim == () or dim == [] else math.prod(x.shape[d] for d in ([dim] if isinstance(dim, int) else dim))


def corrected(x, dim, unbiased, correction):
    n = elements(x, dim)
    c = correction if correction is not None else 1 if unbiased is None else int(unbiased)
    if n - c <= 0: raise Skip("fewer elements than the correction: nan or inf by division by 0")
    return f"*({n}/{n - c})" if c else ""


def var(x, dim=None, unbiased=None, keepdim=False, *, correction=None):
    if isinstance(dim, bool): dim, unbiased = None, dim
    return f"var({x}{axes(dim, keepdim)}){corrected(x, dim, unbiased, correction)}"


def std(x, dim=None, unbiased=None, keepdim=False, *, correction=None):
    if isinstance(dim, bool): dim, unbiased = None, dim
    factor = corrected(x, dim, unbiased, correction)
    return f"std({x}{axes(dim, keepdim)})" + (f"*sqrt({factor[1:]})" if factor else "")


def mean_of(x, dim=None, unbiased=None, keepdim=False, **rest):
    return f"mean({x}{axes(None if isinstance(dim, bool) else dim, keepdim)})"


row("var var|unbiased")(lifted(var))
row("std std|unbiased")(lifted(std))
row("var_mean var_mean|unbiased")(lifted(lambda x, *a, **k: [var(x, *a, **k), mean_of(x, *a, **k)]))
row("std_mean std_mean|unbiased")(lifted(lambda x, *a, **k: [std(x, *a, **k), mean_of(x, *a, **k)]))


def matrix_norm(x, ord="fro", dim=(-2, -1), keepdim=False):
    if ord == "fro": return f"norm({x}{axes(dim, keepdim)})"
    if ord in ("nuc", 2, -2): raise Skip("singular values")
    rows_first = abs(ord) == 1
    first, second = dim if rows_first else dim[::-1]
    n = len(x.shape)
    inner = f"sum(abs({x}), axis={first}, keep=true)"
    y = f"{'max' if ord > 0 else 'min'}({inner}, axis={second}, keep=true)"
    return y if keepdim else f"squeeze({y}, axis={say([d % n for d in dim])})"


@row("linalg.vector_norm")
@lifted
def _(x, ord=2, dim=None, keepdim=False, *, dtype=None): return same_dtype(dtype) or vector_norm(x, ord, dim, keepdim)


row("linalg.matrix_norm")(lambda x, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None: same_dtype(dtype) or matrix_norm(x, ord, dim, keepdim))


@row("linalg.norm linalg.norm|subgradients_at_zero")
@lifted
def _(x, ord=None, dim=None, keepdim=False, *, dtype=None):
    same_dtype(dtype)
    matrix = isinstance(dim, (tuple, list)) and len(dim) == 2 or dim is None and ord is not None and x.ndim == 2
    if ord is None or not matrix: return vector_norm(x, ord, dim, keepdim)
    return matrix_norm(x, ord, dim or (-2, -1), keepdim)


@row("norm norm|fro norm|inf")
@lifted
def _(x, p="fro", dim=None, keepdim=False, dtype=None): return same_dtype(dtype) or vector_norm(x, p, dim, keepdim)


pairs("dist")(lambda x, y, p=2: vector_norm(f"({x} - {y})", p))

def normalize(x, p=2, dim=1, eps=1e-12):
    return f"normalize({x}, axis={dim}, eps={eps})" if p == 2 else f"{x}/maximum({vector_norm(x, p, dim, True)}, {eps})"


row("nn.functional.normalize")(lifted(normalize))
row("softmax softmax|with_dtype")(lifted(lambda x, dim, dtype=None: same_dtype(dtype) or f"softmax({x}, axis={dim})"))
row("nn.functional.softmin nn.functional.softmin|with_dtype")(lifted(lambda x, dim, dtype=None: same_dtype(dtype) or f"softmax(-{x}, axis={dim})"))
row("log_softmax log_softmax|with_dtype")(lifted(lambda x, dim, dtype=None: same_dtype(dtype) or f"log_softmax({x}, axis={dim})"))


@row("nn.functional.cosine_similarity")
def _(x, y, dim=1, eps=1e-8):
    x, y = together(x, y)
    if x.ndim == 0: x, y = (Text(f"{t}[None]", (1,)) for t in (x, y))
    if x.shape != y.shape: x, y = (Text(f"expand({t}, {say(list(torch.broadcast_shapes(x.shape, y.shape)))})", ()) for t in (x, y))
    return f"cosine_similarity({x}, {y}, axis={dim}, eps={eps})"


@row("nn.functional.pairwise_distance")
def _(x, y, p=2.0, eps=1e-6, keepdim=False): return vector_norm(f"({x} - {y} + {eps})", p, -1, keepdim)


# ---- Along an axis ----
row("cumsum")(lifted(lambda x, dim, dtype=None: same_dtype(dtype) or f"cumsum({x}, axis={dim})"))
row("cumprod")(lifted(lambda x, dim, dtype=None: same_dtype(dtype) or f"cumprod({x}, axis={dim})"))
row("sort")(lifted(lambda x, dim=-1, descending=False, stable=False: [f"sort({x}, axis={dim}, descending={say(descending)})", f"argsort({x}, axis={dim}, descending={say(descending)})"]))
row("argsort")(lifted(lambda x, dim=-1, descending=False, stable=False: f"argsort({x}, axis={dim}, descending={say(descending)})"))
row("msort")(lifted(lambda x: f"sort({x}, axis=0)"))


@row("topk")
@lifted
def _(x, k, dim=-1, largest=True, sorted=True):
    order = f"{x}, axis={dim}, descending={say(largest)}"
    return [at(Text(f"{f}({order})", x.shape), dim, f":{k}") for f in ("sort", "argsort")]


@row("kthvalue")
@lifted
def _(x, k, dim=-1, keepdim=False):
    index = f"{k - 1}:{k}" if keepdim else k - 1
    return [at(Text(f"{f}({x}, axis={dim})", x.shape), dim, index) for f in ("sort", "argsort")]


@row("diff")
def _(x, n=1, dim=-1, prepend=None, append=None):
    parts = [p for p in (prepend, x, append) if p is not None and (n or p is x)]
    size = sum(p.shape[dim] for p in parts)
    y = Text(f"concat({', '.join(parts)}, axis={dim})" if len(parts) > 1 else x, x.shape)
    for _ in range(min(n, size)): y = Text(f"({at(y, dim, '1:')} - {at(y, dim, ':-1')})", x.shape)
    return f"{y}"


@row("trapezoid trapz")
def _(y, x=None, *, dim=-1, dx=1):
    mean = f"({at(y, dim, '1:')} + {at(y, dim, ':-1')})/2"
    if x is None: return f"{say(dx)}*sum({mean}, axis={dim})"
    if x.ndim == 1 and y.ndim > 1: x = reshape(x, [-1] + [1] * (y.ndim - 1 - dim % y.ndim))
    d = dim % y.ndim - y.ndim
    return f"sum(({at(x, d, '1:')} - {at(x, d, ':-1')})*{mean}, axis={d})"


@row("cumulative_trapezoid")
def _(y, x=None, *, dim=-1, dx=1):
    mean = f"({at(y, dim, '1:')} + {at(y, dim, ':-1')})/2"
    if x is None: return f"cumsum({say(dx)}*{mean}, axis={dim})"
    if x.ndim == 1 and y.ndim > 1: x = reshape(x, [-1] + [1] * (y.ndim - 1 - dim % y.ndim))
    d = dim % y.ndim - y.ndim
    return f"cumsum(({at(x, d, '1:')} - {at(x, d, ':-1')})*{mean}, axis={d})"


@row("median")
@lifted
def _(x, dim=None, keepdim=False):
    if dim is None: return f"sort(reshape({x}, [-1]))[{(x.count - 1) // 2}]"
    k = (x.shape[dim] - 1) // 2
    return [at(Text(f"{f}({x}, axis={dim})", x.shape), dim, f"{k}:{k + 1}" if keepdim else k) for f in ("sort", "argsort")]


row("cummax")(lifted(lambda x, dim: [f"cummax({x}, axis={dim})", None]))
row("cummin")(lifted(lambda x, dim: [f"cummin({x}, axis={dim})", None]))
row("logcumsumexp")(lifted(lambda x, dim: f"logcumsumexp({x}, axis={dim})"))

"""The same numbers in another arrangement: views, joining, dividing, indices, triangles."""
import math

import torch

from table import ROWS, Skip, Text, at, permuted, reshape, row, say, sizes, times

# ---- The same numbers in another arrangement ----


def swapped(x, a, b):
    order = list(range(x.ndim))
    if x.ndim: order[a], order[b] = order[b], order[a]
    return permuted(x, order)


row("reshape view view_copy")(lambda x, *dims: f"reshape({x}, {say(sizes(dims))})")
row("reshape_as view_as")(lambda x, other: f"reshape({x}, {say(list(other.shape))})")
row("expand_as broadcast_to expand expand_copy")(lambda x, *dims: expand(x, dims[0].shape if isinstance(dims[0], Text) else sizes(dims)))
row("ravel")(lambda x: f"reshape({x}, [-1])")
row("permute permute_copy")(lambda x, dims: permuted(x, dims))
row("transpose transpose_copy")(swapped)
row("T t t_copy")(lambda x: permuted(x, reversed(range(x.ndim))))
row("mT mH")(lambda x: f"t({x})")
row("H")(lambda x: permuted(x, reversed(range(x.ndim))))


def expand(x, dims):
    dims = list(dims)
    for i in range(1, x.ndim + 1):
        if dims[-i] == -1: dims[-i] = x.shape[-i]
    return f"expand({x}, {say(dims)})"


@row("broadcast_tensors")
def _(*xs): return [expand(x, torch.broadcast_shapes(*[x.shape for x in xs])) for x in xs]


@row("movedim")
def _(x, source, to):
    source, to = ([v] if isinstance(v, int) else list(v) for v in (source, to))
    source, to = [s % x.ndim for s in source], [t % x.ndim for t in to]
    rest = iter(i for i in range(x.ndim) if i not in source)
    return permuted(x, [source[to.index(i)] if i in to else next(rest) for i in range(x.ndim)])


@row("flatten")
def _(x, start_dim=0, end_dim=-1):
    if x.ndim == 0: return f"reshape({x}, [-1])"
    a, b = start_dim % x.ndim, end_dim % x.ndim
    return f"reshape({x}, {say([*x.shape[:a], math.prod(x.shape[a:b + 1]), *x.shape[b + 1:]])})"


@row("unflatten")
def _(x, dim, dims):
    d = dim % x.ndim
    known = -math.prod(dims) if -1 in dims else 1
    return f"reshape({x}, {say([*x.shape[:d], *[x.shape[d] // known if k == -1 else k for k in dims], *x.shape[d + 1:]])})"


row("unsqueeze unsqueeze_copy")(lambda x, dim: f"expand_dims({x}, axis={dim})")


@row("squeeze squeeze|multiple squeeze_copy")
def _(x, dim=None):
    dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    ones = {d % x.ndim for d in dims if x.ndim and x.shape[d] == 1}
    return f"reshape({x}, {say([n for i, n in enumerate(x.shape) if i not in ones])})"


row("atleast_1d")(lambda *x: each(x, 1))
row("atleast_2d")(lambda *x: each(x, 2))
row("atleast_3d")(lambda *x: each(x, 3))


def each(xs, rank):
    xs = xs[0] if isinstance(xs[0], (list, tuple)) else xs
    return [f"{widened(x, rank)}" for x in xs]


def widened(x, rank):
    """atleast_1d, 2d, 3d: where the new axes stand."""
    if x.ndim >= rank: return x
    return reshape(x, {0: (1,) * rank, 1: (1, *x.shape, 1)[:rank], 2: (*x.shape, 1)}[x.ndim])


row("flip")(lambda x, dims: f"flip({x}, axis={say(dims)})" if dims != () else f"{x}")
row("fliplr")(lambda x: f"flip({x}, axis=1)")
row("flipud")(lambda x: f"flip({x}, axis=0)")


@row("rot90")
def _(x, k=1, dims=(0, 1)):
    a, b = dims
    if k % 4 == 2: return f"flip({x}, axis=[{a}, {b}])"
    if k % 4 == 0: return f"{x}"
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return f"permute(flip({x}, axis={b}), {order})" if k % 4 == 1 else f"flip(permute({x}, {order}), axis={b})"


@row("roll")
def _(x, shifts, dims=()):
    shifts, dims = ([v] if isinstance(v, int) else list(v) for v in (shifts, dims))
    if not dims: return f"reshape(roll(reshape({x}, [-1]), {shifts[0]}), {say(list(x.shape))})"
    y = x
    for n, d in zip(shifts, dims): y = f"roll({y}, {n}, axis={d})"
    return f"{y}"


def tiled(x, counts):
    counts = sizes(counts)
    return f"tile({x}, {say([1] * (x.ndim - len(counts)) + counts)})" if counts or x.ndim else f"{x}"


row("tile repeat")(lambda x, *counts: tiled(x, counts))


@row("repeat_interleave")
def _(x, repeats, dim=None, *, output_size=None):
    if isinstance(repeats, Text): raise Skip("repeats that differ or are a tensor")
    return f"repeat(reshape({x}, [-1]), {repeats})" if dim is None else f"repeat({x}, {repeats}, axis={dim})" if x.ndim else f"repeat({x}[None], {repeats})"


# ---- Joining and dividing ----
def joined(parts, dim):
    parts = [p for p in parts if p.shape != (0,) or all(q.ndim == 1 for q in parts)]
    return f"concat({', '.join(parts)}, axis={dim})"


row("cat")(lambda parts, dim=0: joined(parts, dim))
row("stack")(lambda parts, dim=0: f"stack({', '.join(parts)}, axis={dim})")
row("hstack")(lambda *parts: joined([widened(p, 1) for p in (parts[0] if isinstance(parts[0], (list, tuple)) else parts)], 0 if (parts[0] if isinstance(parts[0], (list, tuple)) else parts)[0].ndim <= 1 else 1))
row("vstack")(lambda parts: joined([widened(p, 2) for p in parts], 0))
row("dstack")(lambda parts: joined([widened(p, 3) for p in parts], 2))
row("column_stack")(lambda parts: joined([reshape(p, (-1, 1)) if p.ndim < 2 else p for p in parts], 1))


def cuts(x, dim, places):
    """x between these places of an axis."""
    return [at(x, dim, f"{a}:{b}") for a, b in zip([0, *places], [*places, x.shape[dim]])]


def split_sizes(x, dim, ns):
    places = [sum(ns[:i + 1]) for i in range(len(ns) - 1)]
    return cuts(x, dim, places)


@row("split split|list_args split_with_sizes split_with_sizes_copy unsafe_split")
def _(x, n, dim=0):
    size = x.shape[dim]
    return split_sizes(x, dim, [min(n, size - i) for i in range(0, size, n)] if isinstance(n, int) else list(n))


@row("chunk unsafe_chunk")
def _(x, n, dim=0):
    each, size = -(-x.shape[dim] // n), x.shape[dim]
    return split_sizes(x, dim, [min(each, size - i) for i in range(0, size, each)])


def tensor_split(x, n, dim=0):
    if isinstance(n, Text): n = n.value.tolist()
    size = x.shape[dim]
    if isinstance(n, int): return split_sizes(x, dim, [size // n + (i < size % n) for i in range(n)])
    return [at(x, dim, f"{a}:{'' if b is None else b}") for a, b in zip([0, *n], [*n, None])]


row("tensor_split")(tensor_split)
row("hsplit")(lambda x, n: tensor_split(x, n, 0 if x.ndim == 1 else 1))
row("vsplit")(lambda x, n: tensor_split(x, n, 0))
row("dsplit")(lambda x, n: tensor_split(x, n, 2))
row("unbind unbind_copy")(lambda x, dim=0: [at(x, dim, i) for i in range(x.shape[dim])])
row("select")(lambda x, dim, index: at(x, dim, index))


@row("narrow narrow_copy")
def _(x, dim, start, length):
    if isinstance(start, Text): start = start.value.item()
    start %= max(x.shape[dim], 1)
    return at(x, dim, f"{start}:{start + length}")


@row("slice")
def _(x, dim=0, start=None, end=None, step=1):
    return at(x, dim, f"{'' if start is None else start}:{'' if end is None else end}:{step}")


@row("meshgrid|variadic_tensors meshgrid|list_of_tensors")
def _(*xs, indexing="ij"):
    xs = xs[0] if isinstance(xs[0], (list, tuple)) else xs
    flat = [reshape(x, (x.count,)) for x in xs]
    full = [x.shape[0] for x in flat]
    order = [1, 0, *range(2, len(xs))] if indexing == "xy" and len(xs) > 1 else list(range(len(xs)))
    return [f"permute(expand(reshape({x}, {say([x.shape[0] if i == k else 1 for i in range(len(xs))])}), {say(full)}), {order})" for k, x in enumerate(flat)]


@row("block_diag")
def _(*xs):
    xs = [widened(x, 2) for x in xs]
    total, done, parts = [sum(x.shape[k] for x in xs) for k in (0, 1)], [0, 0], []
    for x in xs:
        parts.append(f"pad({x}, {done}, {[total[k] - done[k] - x.shape[k] for k in (0, 1)]})")
        done = [done[k] + x.shape[k] for k in (0, 1)]
    return " + ".join(parts)


@row("unfold unfold_copy")
def _(x, dim, size, step):
    if x.ndim == 0: return f"window({x}[None], {size}, stride={step})[0]" if size else f"{x}[None][:0]"
    last = x.ndim - 1
    order = [i for i in range(x.ndim) if i != dim % x.ndim]
    moved = Text(f"permute({x}, {[*order, dim % x.ndim]})", ())
    back = list(range(last))
    back.insert(dim % x.ndim, last)
    return f"permute(window({moved}, {size}, stride={step}), {[*back, last + 1]})"


# ---- Indices ----
row("gather")(lambda x, dim, index: along(x, dim, index))
row("take_along_dim")(lambda x, index, dim=None: f"take_along(reshape({x}, [-1]), reshape({index}, [-1]))" if dim is None else along(*broadcast_beside(x, index, dim)))
row("take")(lambda x, index: f"gather(reshape({x}, [-1]), where({index} < 0, {index} + {x.count}, {index}))")
row("index_select")(lambda x, dim, index: f"take({x}, {index if index.ndim else index + '[None]'}, axis={dim})" if x.ndim else f"{x}")


def trimmed(x, index, dim):
    """PyTorch lets an index be smaller than x beside the axis."""
    cut = [":" if i == dim % x.ndim or n == m else f":{m}" for i, (n, m) in enumerate(zip(x.shape, index.shape))]
    return f"{x}[{', '.join(cut)}]" if set(cut) != {":"} else x


def broadcast_beside(x, index, dim):
    """Both repeated to one shape but for the axis."""
    d = dim % x.ndim
    full = torch.broadcast_shapes(*[(*t.shape[:d], 1, *t.shape[d + 1:]) for t in (x, index)])
    wide = lambda t: Text(f"expand({t}, {say([*full[:d], t.shape[d], *full[d + 1:]])})", (*full[:d], t.shape[d], *full[d + 1:]), t.dtype)  # noqa: E731
    return wide(x), d, wide(index)


def along(x, dim, index):
    if x.ndim == 0 and index.ndim == 0: return f"{x}"
    if x.ndim == 0 or index.ndim == 0: raise Skip("a scalar with an index of another rank")
    return f"take_along({trimmed(x, index, dim)}, {index}, axis={dim})"


def placed(src, index):
    """src where the index has it."""
    cut = [":" if n == m else f":{m}" for n, m in zip(src.shape, index.shape)]
    return f"{src}[{', '.join(cut)}]" if set(cut) - {":"} else src


def add_along(x, dim, index, src):
    rest = [0 if i == dim % x.ndim else n - m for i, (n, m) in enumerate(zip(x.shape, index.shape))]
    if not any(rest): return f"add_along({x}, {index}, {placed(src, index)}, axis={dim})"
    return f"{x} + pad(add_along(0*{trimmed(x, index, dim)}, {index}, {placed(src, index)}, axis={dim}), {[0] * x.ndim}, {rest})"


@row("scatter_add")
def _(x, dim, index, src):
    if x.ndim == 0: return f"{x} + {src}"
    return add_along(x, dim, index, src)


@row("index_add")
def _(x, dim, index, src, *, alpha=1):
    if x.ndim == 0: return f"{x} + {times(alpha)}{src}" if src.ndim == 0 else f"{x} + {times(alpha)}sum({src})"
    if index.ndim == 0: index = Text(f"{index}[None]", (1,))
    d = dim % x.ndim
    full = [*x.shape[:d], index.shape[0], *x.shape[d + 1:]]
    spread = f"expand(reshape({index}, {say([index.shape[0] if i == d else 1 for i in range(x.ndim)])}), {say(full)})"
    return f"add_along({x}, {spread}, {times(alpha)}{src if src.ndim else f'expand({src}, {say(full)})'}, axis={dim})"


def marked(x, dim, index):
    """Where a slice of the axis is named by the index: a mask that broadcasts."""
    d = dim % x.ndim
    return f"reshape(any(one_hot(reshape({index}, [-1]), {x.shape[d]}) > 0, axis=0), {say([x.shape[d] if i == d else 1 for i in range(x.ndim)])})"


@row("index_fill")
def _(x, dim, index, value):
    return f"where({marked(x, dim, index)}, {say(value)}, {x})" if x.ndim else f"0*{x} + {say(value)}"


@row("index_copy")
def _(x, dim, index, src):
    if x.ndim == 0: return f"0*{x} + {src}"
    if index.ndim == 0: index = Text(f"{index}[None]", (1,))
    d = dim % x.ndim
    full = [*x.shape[:d], index.shape[0], *x.shape[d + 1:]]
    spread = f"expand(reshape({index}, {say([index.shape[0] if i == d else 1 for i in range(x.ndim)])}), {say(full)})"
    return f"where({marked(x, dim, index)}, add_along(0*{x}, {spread}, {src}, axis={dim}), {x})"


# ---- Matrices, as a view ----
@row("tril triu")
def _(x, diagonal=0): return f"tril({x}, n={diagonal})"


ROWS["triu"] = lambda x, diagonal=0: f"triu({x}, n={diagonal})"
row("trace")(lambda x: f"trace({x})")


def a_diagonal(x, offset=0, dim1=0, dim2=1):
    a, b = dim1 % x.ndim, dim2 % x.ndim
    order = [i for i in range(x.ndim) if i not in (a, b)] + [a, b]
    moved = f"permute({x}, {order})" if order != list(range(x.ndim)) else x
    cut = "" if not offset else f"[..., :, {offset}:]" if offset > 0 else f"[..., {-offset}:, :]"
    return f"diagonal({moved}{cut})"


row("diagonal diagonal_copy")(a_diagonal)
row("linalg.diagonal")(lambda x, *, offset=0, dim1=-2, dim2=-1: a_diagonal(x, offset, dim1, dim2))


def shifted(x, offset):
    """diag with the numbers on another diagonal."""
    rank, below, above = [0] * (x.ndim - 1), max(-offset, 0), max(offset, 0)
    return f"pad(diag({x}), {rank + [below, above]}, {rank + [above, below]})" if offset else f"diag({x})"


row("diag")(lambda x, diagonal=0: shifted(x, diagonal) if x.ndim == 1 else a_diagonal(x, diagonal))
row("diagflat")(lambda x, offset=0: shifted(reshape(x, (x.count,)), offset))


@row("diag_embed")
def _(x, offset=0, dim1=-2, dim2=-1):
    n = x.ndim + 1
    a, b = dim1 % n, dim2 % n
    rest = iter(range(n - 2))
    order = [n - 2 if i == a else n - 1 if i == b else next(rest) for i in range(n)]
    return f"permute({shifted(x, offset)}, {order})"


@row("sum_to_size")
def _(x, *dims):
    dims = sizes(dims)
    lead = x.ndim - len(dims)
    gone = [*range(lead), *[lead + i for i, n in enumerate(dims) if n == 1]]
    return f"reshape(sum({x}, axis={gone}), {say(dims)})" if gone else f"{x}"


row("fill")(lambda x, value: f"0*{x} + {say(value)}")

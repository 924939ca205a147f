"""Random graphs of all kinds of op, shapes and dtypes: interpreter, executor and PyTorch agree on values, VJPs, JVPs and HVPs.

A graph is a list of steps (name, formula, function of what is there), each over names before it; graph k of a run is made from seed k
alone. Graphs of f32 are compared with PyTorch's f64 of the same numbers."""
import collections
import random

import torch
from torch.autograd import forward_ad

import bridge
from sample import compared, plain, random_like
from table import Text, say, together

BOUNDS = {torch.float64: {"values": 1e-11, "vjp": 1e-10, "jvp": 1e-10, "hvp": 1e-8}, torch.float32: {"values": 1e-4, "vjp": 1e-3, "jvp": 1e-3, "hvp": 1e-2}}
MAKERS = []
f64, i64 = torch.float64, torch.int64


def maker(f):
    MAKERS.append(f)
    return f


class Random:
    """A graph as it grows: env has each name's value as PyTorch computes it."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.dtype = torch.float32 if self.r.random() < 0.2 else f64
        self.env, self.leaves, self.steps = {}, {}, []
        for k in range(self.r.randint(2, 4)): self.leaf(f"x{k}", torch.tensor([self.r.uniform(-2, 2) for _ in range(1000)], dtype=self.dtype).double(), self.shape())
        self.leaf("i0", torch.tensor([self.r.randint(-3, 3) for _ in range(1000)]), self.shape())
        self.leaf("b0", torch.tensor([self.r.random() < 0.5 for _ in range(1000)]), self.shape())

    def shape(self):
        if self.r.random() < 0.05: return (self.r.randint(1, 3), 0)
        return tuple(self.r.choice([1, 2, 3, 3, 4]) for _ in range(self.r.choice([0, 1, 1, 2, 2, 2, 3, 3, 4])))

    def leaf(self, name, numbers, shape):
        count = 1
        for n in shape: count *= n
        self.leaves[name] = numbers[:count].reshape(shape).clone()
        self.env[name] = self.leaves[name]

    def text(self, name):
        t = self.env[name]
        return Text(name, t.shape, t.dtype)

    def pick(self, fits=lambda t: True, dtype=f64):
        names = [n for n, t in self.env.items() if t.dtype == dtype and fits(t)]
        return self.text(self.r.choice(names[-6:] if self.r.random() < 0.6 else names)) if names else None

    def grow(self):
        made = self.r.choice(MAKERS)(self, self.r)
        if made is None: return
        formula, f = made
        try: y = f(self.env)
        except (RuntimeError, IndexError): return
        if y.numel() > 300 or y.dim() > 6: return
        if y.is_floating_point() and (not torch.isfinite(y).all() or (y.numel() and y.abs().max() > 50)): return
        name = f"n{len(self.steps)}"
        self.steps.append((name, formula, f))
        self.env[name] = y

    def values(self, leaves, outputs):
        env = dict(leaves)
        for name, _, f in self.steps: env[name] = f(env)
        return [env[n] for n in outputs]


# ---- Elementwise ----
UNARY = [("sin({0})", torch.sin), ("tanh({0})", torch.tanh), ("exp(-{0}^2)", lambda x: torch.exp(-x * x)), ("sigmoid({0})", torch.sigmoid),
         ("softplus({0})", torch.nn.functional.softplus), ("relu({0})", torch.relu), ("abs({0})", torch.abs), ("log(1 + {0}^2)", lambda x: torch.log(1 + x * x)),
         ("sqrt(1 + {0}^2)", lambda x: torch.sqrt(1 + x * x)), ("erf({0})", torch.erf), ("atan({0})", torch.atan), ("gelu({0})", torch.nn.functional.gelu),
         ("silu({0})", torch.nn.functional.silu), ("softsign({0})", torch.nn.functional.softsign), ("tanh({0})^3", lambda x: torch.tanh(x) ** 3),
         ("expm1(tanh({0}))", lambda x: torch.expm1(torch.tanh(x))), ("clip({0}, -0.71, 0.93)", lambda x: torch.clamp(x, -0.71, 0.93)), ("cosh(tanh({0}))", lambda x: torch.cosh(torch.tanh(x))),
         ("recip(2 + {0}^2)", lambda x: 1 / (2 + x * x)), ("-{0}", torch.neg), ("lgamma(1.2 + {0}^2)", lambda x: torch.lgamma(1.2 + x * x)), ("floor({0}) + {0}", lambda x: torch.floor(x) + x),
         ("mish({0})", torch.nn.functional.mish), ("leaky_relu({0}, slope=0.2)", lambda x: torch.nn.functional.leaky_relu(x, 0.2)), ("selu({0})", torch.selu)]
BINARY = [("{0} + {1}", torch.add), ("{0} - {1}", torch.sub), ("{0}*{1}", torch.mul), ("{0}/(1.5 + {1}^2)", lambda a, b: a / (1.5 + b * b)), ("maximum({0}, {1})", torch.maximum),
          ("minimum({0}, {1})", torch.minimum), ("atan2({0}, 2 + {1}^2)", lambda a, b: torch.atan2(a, 2 + b * b)), ("hypot({0}, 1 + {1}^2)", lambda a, b: torch.hypot(a, 1 + b * b)),
          ("where({0} < {1}, {0}, {1}^2)", lambda a, b: torch.where(a < b, a, b * b)), ("(1.1 + {0}^2)^tanh({1})", lambda a, b: (1.1 + a * a) ** torch.tanh(b)),
          ("logaddexp({0}, {1})", torch.logaddexp), ("mod({0}, 1.3 + {1}^2)", lambda a, b: torch.remainder(a, 1.3 + b * b)), ("huber({0}, {1}, delta=0.8)", lambda a, b: torch.nn.functional.huber_loss(*torch.broadcast_tensors(a, b), reduction="none", delta=0.8))]


@maker
def unary(g, r):
    x = g.pick()
    formula, f = r.choice(UNARY)
    return formula.format(x), lambda e: f(e[x])


@maker
def binary(g, r):
    def broadcasts(t):
        try: return len(torch.broadcast_shapes(t.shape, x.shape)) <= 6
        except RuntimeError: return False
    x = g.pick()
    y = g.pick(broadcasts)
    formula, f = r.choice(BINARY)
    return formula.format(*together(x, y)), lambda e: f(e[x], e[y])


@maker
def mask(g, r):
    b = g.pick(dtype=torch.bool)
    x = g.pick(lambda t: t.shape == b.shape)
    if x is None: return None
    return f"where({b}, {x}, 0.5*{x}^2)", lambda e: torch.where(e[b], e[x], 0.5 * e[x] ** 2)


@maker
def integers(g, r):
    i = g.pick(lambda t: t.dim() or r.random() < 0.3, i64)
    if i is None or i.ndim == 0: return None
    return r.choice([(f"{i}*2 - 1", lambda e: e[i] * 2 - 1), (f"{i} % 3", lambda e: e[i] % 3), (f"{i}//2", lambda e: torch.div(e[i], 2, rounding_mode="floor")), (f"cumsum({i})", lambda e: torch.cumsum(e[i], -1))])


@maker
def bools(g, r):
    b, i, x = g.pick(dtype=torch.bool), g.pick(dtype=i64), g.pick()
    return r.choice([(f"not {b}", lambda e: ~e[b]), (f"{i} > 0", lambda e: e[i] > 0), (f"{x} < 0.3", lambda e: e[x] < 0.3)])


@maker
def mixed(g, r):
    """Integers and bools in arithmetic of floats."""
    x = g.pick()
    i = g.pick(lambda t: t.shape == x.shape, i64)
    b = g.pick(lambda t: t.shape == x.shape, torch.bool)
    if i is not None: return f"{x}*cast({i}, dtype({x}))", lambda e: e[x] * e[i].to(e[x].dtype)
    return None if b is None else (f"{x} + cast({b}, dtype({x}))", lambda e: e[x] + e[b].to(e[x].dtype))


# ---- Axes ----
REDUCE = [("sum({0}{1})", torch.sum), ("mean({0}{1})", torch.mean), ("max({0}{1})", torch.amax), ("min({0}{1})", torch.amin), ("logsumexp({0}{1})", torch.logsumexp),
          ("var({0}{1})", lambda x, d, k: torch.var(x, d, correction=0, keepdim=k)), ("norm({0} + 0.1{1})", lambda x, d, k: torch.linalg.vector_norm(x + 0.1, dim=d, keepdim=k)),
          ("norm1({0}{1})", lambda x, d, k: torch.linalg.vector_norm(x, 1, d, k))]


@maker
def reduce(g, r):
    x = g.pick(lambda t: t.dim() and t.numel())
    if x is None: return None
    formula, f = r.choice(REDUCE)
    dims, keep = sorted(r.sample(range(x.ndim), r.randint(1, x.ndim))), r.random() < 0.4
    return formula.format(x, f", axis={dims}, keep={say(keep)}"), lambda e: f(e[x], dims, keep)


ALONG = [("cumsum({0}, axis={1})", torch.cumsum), ("cumprod(tanh({0}), axis={1})", lambda x, d: torch.cumprod(torch.tanh(x), d)), ("softmax({0}, axis={1})", torch.softmax),
         ("log_softmax({0}, axis={1})", torch.log_softmax), ("sort({0}, axis={1})", lambda x, d: torch.sort(x, dim=d, stable=True)[0]), ("flip({0}, axis={1})", lambda x, d: torch.flip(x, [d])),
         ("logcumsumexp({0}, axis={1})", torch.logcumsumexp), ("roll({0}, 2, axis={1})", lambda x, d: torch.roll(x, 2, d)), ("prod(tanh({0}), axis={1})", lambda x, d: torch.prod(torch.tanh(x), d)),
         ("diff({0}, axis={1})", lambda x, d: torch.diff(x, dim=d)), ("repeat({0}, 2, axis={1})", lambda x, d: torch.repeat_interleave(x, 2, d)),
         ("normalize({0} + 0.1, axis={1})", lambda x, d: torch.nn.functional.normalize(x + 0.1, dim=d)), ("expand_dims({0}, axis={1})", torch.unsqueeze)]


@maker
def along(g, r):
    x = g.pick(lambda t: t.dim() and t.numel())
    if x is None: return None
    formula, f = r.choice(ALONG)
    d = r.randrange(x.ndim)
    return formula.format(x, d), lambda e: f(e[x], d)


# ---- Views and joining ----
@maker
def view(g, r):
    x = g.pick(lambda t: t.dim())
    if x is None: return None
    order = r.sample(range(x.ndim), x.ndim)
    kind = r.randrange(5)
    if kind == 0: return f"permute({x}, {order})", lambda e: e[x].permute(order)
    if kind == 1:
        dims = r.choice([[-1], [*x.shape[1:], x.shape[0]], [1, *x.shape]]) if x.count else list(x.shape)
        return f"reshape({x}, {dims})", lambda e: e[x].reshape(dims)
    if kind == 2:
        before, after = ([r.randint(0, 1) for _ in x.shape] for _ in (0, 1))
        flat = [v for b, a in zip(reversed(before), reversed(after)) for v in (b, a)]
        return f"pad({x}, {before}, {after})", lambda e: torch.nn.functional.pad(e[x], flat)
    if kind == 3:
        cuts = [(r.randint(0, max(n - 1, 0)), r.choice([1, 1, 2])) for n in x.shape]
        return f"{x}[{', '.join(f'{a}::{s}' for a, s in cuts)}]", lambda e: e[x][tuple(slice(a, None, s) for a, s in cuts)]
    counts = [r.randint(1, 2) for _ in x.shape]
    return f"tile({x}, {counts})", lambda e: e[x].repeat(counts)


@maker
def matrix_view(g, r):
    x = g.pick(lambda t: t.dim() >= 2)
    if x is None: return None
    return r.choice([(f"tril({x}, n=1)", lambda e: torch.tril(e[x], 1)), (f"diagonal({x})", lambda e: torch.diagonal(e[x], 0, -2, -1)), (f"t({x})", lambda e: e[x].mT), (f"triu({x})", lambda e: torch.triu(e[x]))])


@maker
def join(g, r):
    x = g.pick(lambda t: t.dim())
    if x is None: return None
    d = r.randrange(x.ndim)
    y = g.pick(lambda t: t.dim() == x.ndim and all(n == m or k == d for k, (n, m) in enumerate(zip(t.shape, x.shape))))
    if r.random() < 0.5 or y.shape != x.shape: return f"concat({x}, {y}, axis={d})", lambda e: torch.cat([e[x], e[y]], d)
    return f"stack({x}, {y}, axis={d})", lambda e: torch.stack([e[x], e[y]], d)


@maker
def take(g, r):
    x, i = g.pick(lambda t: t.dim() and min(t.shape) > 0), g.pick(dtype=i64)
    if x is None: return None
    d = r.randrange(x.ndim)
    n = x.shape[d]
    return f"take({x}, {i} % {n}, axis={d})", lambda e: torch.index_select(e[x], d, (e[i] % n).reshape(-1)).reshape((*x.shape[:d], *e[i].shape, *x.shape[d + 1:]))


@maker
def scatter(g, r):
    x, i = g.pick(lambda t: t.dim() == 1), g.pick(lambda t: t.dim() == 1, i64)
    if x is None or i is None or i.shape[0] > x.shape[0]: return None
    n = i.shape[0]
    return f"scatter_add({x}[:{n}], {i} % 3, 3)", lambda e: torch.zeros(3, dtype=e[x].dtype).index_add(0, e[i] % 3, e[x][:n])


# ---- Products, linear algebra, windows ----
@maker
def product(g, r):
    x = g.pick(lambda t: t.dim() >= 2)
    if x is None: return None
    y = g.pick(lambda t: t.dim() in (1, 2) and t.shape[0] == x.shape[-1])
    if y is None or r.random() < 0.3: return f"{x} @ t({x})/4", lambda e: e[x] @ e[x].mT / 4
    return f"{x} @ {y}", lambda e: e[x] @ e[y]


def eye(x): return f"diag(expand(cast(1, dtype({x})), [{x.shape[0]}]))"


@maker
def algebra(g, r):
    x = g.pick(lambda t: t.dim() == 2 and t.shape[0] == t.shape[1] > 0)
    if x is None: return None
    n = x.shape[0]
    one = torch.eye(n, dtype=f64)
    a, dominant = f"(tanh({x}) + {n + 1}*{eye(x)})", lambda e: torch.tanh(e[x]) + (n + 1) * one
    b, definite = f"({x} @ t({x}) + {eye(x)})", lambda e: e[x] @ e[x].mT + one
    y = g.pick(lambda t: t.dim() in (1, 2) and t.shape[0] == n)
    made = [(f"inv({a})", lambda e: torch.linalg.inv(dominant(e))), (f"logabsdet({a})", lambda e: torch.linalg.slogdet(dominant(e))[1]), (f"cholesky({b})", lambda e: torch.linalg.cholesky(definite(e))),
            (f"det({a})/100", lambda e: torch.linalg.det(dominant(e)) / 100), (f"eigh({b})", lambda e: torch.linalg.eigvalsh(definite(e)))]
    if y is not None: made.append((f"solve({a}, {y})", lambda e: torch.linalg.solve(dominant(e), e[y])))
    return r.choice(made)


@maker
def windows(g, r):
    x = g.pick(lambda t: t.dim() == 3 and min(t.shape) > 0 and t.shape[2] >= 2)
    if x is None: return None
    w = g.pick(lambda t: t.dim() == 3 and min(t.shape) > 0 and t.shape[1] == x.shape[1] and t.shape[2] <= x.shape[2])
    made = [(f"max_pool({x}, 2, stride=1)", lambda e: torch.nn.functional.max_pool1d(e[x], 2, 1)), (f"avg_pool({x}, 2)", lambda e: torch.nn.functional.avg_pool1d(e[x], 2)),
            (f"resize_linear({x}, [5])", lambda e: torch.nn.functional.interpolate(e[x], 5, mode="linear"))]
    if w is not None: made += [(f"conv({x}, {w}, before=1, after=1)", lambda e: torch.nn.functional.conv1d(e[x], e[w], padding=1))] * 3
    return r.choice(made)


# ---- Both sides ----
def expected_of(g, outputs, wrt, v, u):
    """What PyTorch computes; the JVP in forward mode."""
    leaves = {n: t.detach().requires_grad_(n in wrt) for n, t in g.leaves.items()}
    xs, ys = [leaves[n] for n in wrt], g.values(leaves, outputs)
    vjp = torch.autograd.grad(ys, xs, v, create_graph=True, allow_unused=True)
    smooth = [(t, d) for t, d in zip(vjp, u) if t is not None and t.requires_grad]
    hvp = torch.autograd.grad([t for t, _ in smooth], xs, [d for _, d in smooth], allow_unused=True) if smooth else [None] * len(xs)
    with forward_ad.dual_level():
        duals = {n: forward_ad.make_dual(t, u[wrt.index(n)]) if n in wrt else t for n, t in g.leaves.items()}
        jvp = [forward_ad.unpack_dual(y).tangent for y in g.values(duals, outputs)]

    def zeros(found, like): return [torch.zeros_like(x).detach() if t is None else plain(t) for t, x in zip(found, like)]
    return dict(values=[plain(y) for y in ys], vjp=zeros(vjp, xs), jvp=zeros(jvp, ys), hvp=zeros(hvp, xs))


def found_of(g, outputs, wrt, v, u, way):
    c = bridge.Graph()
    data = {n: t.to(g.dtype) if t.dtype == f64 else t for n, t in g.leaves.items()}
    x = {n: c.tensor(n, t) for n, t in data.items()}
    nodes = {name: c.named(c.formula(formula), name) for name, formula, _ in g.steps}
    nodes.update(x)

    def bound(kind, tensors):
        data.update({f"{kind}_{k}": t.to(g.dtype) for k, t in enumerate(tensors)})
        return [c.tensor(f"{kind}_{k}", data[f"{kind}_{k}"]) for k in range(len(tensors))]
    ys, vs, us, xs = [nodes[n] for n in outputs], bound("v", v), bound("u", u), [x[n] for n in wrt]
    vjp = c.vjp(ys, vs, xs)
    kinds = dict(values=ys, vjp=vjp, jvp=c.jvp(ys, xs, us), hvp=c.vjp(vjp, us, xs))
    values = iter(c.run([n for some in kinds.values() for n in some], data, way))
    return {kind: [next(values) for _ in some] for kind, some in kinds.items()}


def one(seed, worst):
    """Compares one graph: None, or what is wrong; "" where PyTorch itself gives nan or infinity."""
    g = Random(seed)
    for _ in range(g.r.randint(4, 16)): g.grow()
    outputs = [n for n, _, _ in g.steps if g.env[n].dtype == f64][-2:]
    if not outputs: return ""
    wrt = [n for n in g.leaves if n[0] == "x"]
    generator = torch.Generator().manual_seed(seed)
    v, u = [random_like(g.env[n], generator) for n in outputs], [random_like(g.leaves[n], generator) for n in wrt]
    try: expected = expected_of(g, outputs, wrt, v, u)
    except RuntimeError as why:
        if "does not require grad" in str(why) or "not have a grad_fn" in str(why): return ""
        raise
    if not all(torch.isfinite(t).all() for some in expected.values() for t in some): return ""
    for way in bridge.WAYS:
        try: found = found_of(g, outputs, wrt, v, u, way)
        except bridge.Error as error: return f"{way}: {error}"
        for kind, bound in BOUNDS[g.dtype].items():
            off = compared(found[kind], expected[kind])
            if off > bound: return f"{way}: {kind} off by {off:.2g}: {outputs} of {[(n, f) for n, f, _ in g.steps]}"
            worst[str(g.dtype)[6:], kind] = max(worst[str(g.dtype)[6:], kind], off)
    return None


def check(count):
    """What failed, and the lines of docs/peers.md."""
    worst, failures, agreed = collections.Counter(), [], 0
    for seed in range(count):
        wrong = one(seed, worst)
        if wrong: failures.append(f"random graph {seed}: {wrong}")
        agreed += wrong is None
    lines = [f"{agreed} of {count} random graphs agree, {count - agreed - len(failures)} have no finite derivative in PyTorch.", "",
             "| worst relative error (at most) | " + " | ".join(BOUNDS[f64]) + " |", "|---|---|---|---|---|",
             *[f"| {str(d)[6:]} | " + " | ".join(f"{worst[str(d)[6:], k]:.0e} ({bound:.0e})" for k, bound in BOUNDS[d].items()) + " |" for d in BOUNDS]]
    if agreed < 0.9 * count: failures.append(f"only {agreed} of {count} random graphs could be compared")
    return failures, lines


if __name__ == "__main__":
    import sys
    for f in sum(check(int(sys.argv[1]) if len(sys.argv) > 1 else 2000), []): print(f)

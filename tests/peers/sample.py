"""A sample of PyTorch's own tests (OpInfo), computed by both sides: values, VJPs, JVPs and HVPs along seeded random directions."""
import math
import random

import numpy
import torch
from torch.autograd import forward_ad

import bridge
from table import ROWS, Skip, Text

NAMES = "abcdefghijklmnopqrstuvwxyz"
KINDS = ("values", "vjp", "jvp", "hvp")


class Sample:
    """One call of one of PyTorch's ops. Its tensors get names; those of floats that ask for it are differentiated by."""

    def __init__(self, op, name, number, given):
        self.op, self.name, self.number = op, name, number
        self.data, self.ids, self.wrt = {}, {}, []
        self.given = (given.input, given.args, given.kwargs)
        self.hermitian = getattr(op.gradcheck_wrapper, "__name__", "") == "gradcheck_wrapper_hermitian_input"
        self.texts = self.replaced(self.text)
        self.formulas = self.formula()

    def text(self, t):
        if id(t) not in self.ids:
            if t.dtype not in bridge.DTYPES or t.layout != torch.strided: raise Skip(f"a tensor of {t.dtype}, {t.layout}")
            if len(self.data) == len(NAMES): raise Skip("more than 26 tensors")
            name = NAMES[len(self.data)]
            if t.dtype == torch.float64 and t.is_contiguous(): t.data.copy_(torch.round(t.data, decimals=5))  # few digits to write down
            self.data[name], self.ids[id(t)] = t, name
            if t.dtype == torch.float64 and t.requires_grad: self.wrt.append(name)
        return Text(self.ids[id(t)], t.shape, t.dtype, t.detach())

    def replaced(self, f):
        """The arguments with every tensor t become f(t)."""
        def walk(v):
            if isinstance(v, torch.Tensor): return f(v)
            if type(v) in (list, tuple): return type(v)(map(walk, v))
            return {k: walk(x) for k, x in v.items()} if isinstance(v, dict) else v
        return walk(self.given)

    def formula(self):
        """What reads half of a matrix as all of it is handed x + t(x) in place of x, as OpInfo's own checks do."""
        x, args, kwargs = self.texts
        if self.hermitian: x = Text(f"({x} + t({x}))", x.shape)
        found = ROWS[self.name](x, *args, **kwargs)
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def call(self, data=None):
        """PyTorch's results, of other tensors under the same names where these are given."""
        x, args, kwargs = self.replaced(lambda t: t if data is None else data[self.ids[id(t)]])
        if self.hermitian: x = x + x.mT
        return flat(self.op.op(x, *args, **kwargs))


def samples(op, name, most=None):
    """Seeded: the same at every run. Yields samples, and (number, reason) for those without a formula."""
    torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
    for number, given in enumerate(op.sample_inputs("cpu", torch.float64, requires_grad=op.supports_autograd)):
        if most is not None and number >= most: return
        try: yield Sample(op, name, number, given)
        except Skip as why: yield number, str(why)


def flat(y):
    if isinstance(y, torch.Tensor): return [y]
    return [t for x in y for t in flat(x)] if isinstance(y, (list, tuple)) else [torch.tensor(y)]


def random_like(t, generator):
    """Multiples of 1/64, which take few digits."""
    return torch.randint(-128, 129, t.shape, generator=generator).to(t.dtype) / 64


def plain(t):
    """A tensor of its own: PyTorch has zeros that own no memory."""
    return torch.zeros(t.shape, dtype=t.dtype).copy_(t.detach())


def differentiable(t): return t.dtype == torch.float64 and t.requires_grad


def by_torch(sample, generator):
    """{kind: tensors} with the directions: cotangents v of the results, tangents u of the operands; HVP: d/dx of sum u . VJP."""
    xs = [sample.data[n] for n in sample.wrt]
    ys = sample.call()
    live = [y for y in ys if differentiable(y)]
    if not xs or not live: return dict(values=ys, v=[], u=[], vjp=[], hvp=[], jvp=[])
    v = [random_like(y, generator).requires_grad_() for y in live]
    u = [random_like(x, generator) for x in xs]

    def zeros(gs, like): return [torch.zeros_like(x).detach() if g is None else plain(g) for g, x in zip(gs, like)]
    g = torch.autograd.grad(live, xs, v, create_graph=True, allow_unused=True)
    smooth = [(x, t) for x, t in zip(g, u) if x is not None and x.requires_grad]

    def again(to):
        if not smooth: return zeros([None] * len(to), to)
        return zeros(torch.autograd.grad([s[0] for s in smooth], to, [s[1] for s in smooth], retain_graph=True, allow_unused=True), to)
    try: hvp = again(xs)
    except RuntimeError as why:
        if "not implemented" not in str(why): raise
        hvp = None
    jvp = forward(sample, u, ys) if sample.op.supports_forward_ad else again(v)
    return dict(values=ys, v=[t.detach() for t in v], u=u, vjp=zeros(g, xs), hvp=hvp, jvp=jvp)


def forward(sample, u, ys):
    """The JVP by PyTorch's forward mode."""
    with forward_ad.dual_level():
        data = {n: t.detach() for n, t in sample.data.items()}
        data.update({n: forward_ad.make_dual(sample.data[n].detach(), t) for n, t in zip(sample.wrt, u)})
        tangents = [forward_ad.unpack_dual(y).tangent for y in sample.call(data)]
    return [torch.zeros_like(y).detach() if t is None else plain(t) for t, y in zip(tangents, ys) if differentiable(y)]


def by_chainrule(sample, expected, way="executor"):
    """The same by Chainrule."""
    g, data = bridge.Graph(), dict(sample.data)
    x = {name: g.tensor(name, t) for name, t in data.items()}
    ys = [f if f is None else g.built(f) for f in sample.formulas]
    wrt = [x[n] for n in sample.wrt]

    def bound(kind):
        names = [f"{kind}_{i}" for i in range(len(expected[kind]))]
        data.update(zip(names, expected[kind]))
        return [g.tensor(n, data[n]) for n in names]
    nodes = dict(values=[y for y in ys if y is not None], vjp=[], hvp=[], jvp=[])
    if expected["vjp"]:
        live = [(y, v) for y, v in zip([y for y, e in zip(ys, expected["values"]) if differentiable(e)], bound("v")) if y is not None]
        y, v, u = [p[0] for p in live], [p[1] for p in live], bound("u")
        nodes["vjp"] = g.vjp(y, v, wrt)
        nodes["jvp"], nodes["hvp"] = g.jvp(y, wrt, u), g.vjp(nodes["vjp"], u, wrt) if expected["hvp"] is not None else []
    values = iter(g.run([n for kind in nodes.values() for n in kind], data, way))
    return {kind: [next(values) for _ in some] for kind, some in nodes.items()}


def compared(found, expected):
    """The largest distance over the largest number expected in all tensors together (at least 1e-2, for what is 0 but for rounding); inf
    where shapes, or places of nan and infinities, differ."""
    if len(found) != len(expected) or any(tuple(a.shape) != tuple(b.shape) for a, b in zip(found, expected)): return math.inf
    if not found: return 0.0
    a, b = (torch.cat([t.detach().double().reshape(-1) for t in some]) for some in (found, expected))
    odd = ~torch.isfinite(b)
    if not torch.equal(torch.nan_to_num(a[odd], nan=7.0), torch.nan_to_num(b[odd], nan=7.0)): return math.inf
    a, b = a[~odd], b[~odd]
    if not b.numel(): return 0.0
    return float((a - b).abs().max() / max(float(b.abs().max()), 1e-2)) if torch.isfinite(a).all() else math.inf


def errors(sample, expected, found):
    """{kind: error}, of the results that have a formula."""
    if len(sample.formulas) != len(expected["values"]): return dict.fromkeys(KINDS, math.inf)
    kept = [f is not None for f in sample.formulas]
    values = [y for y, k in zip(expected["values"], kept) if k]
    jvp = [t for t, k in zip(expected["jvp"], [k for y, k in zip(expected["values"], kept) if differentiable(y)]) if k]
    return {kind: compared(found[kind], e) for kind, e in (("values", values), ("vjp", expected["vjp"]), ("jvp", jvp), ("hvp", expected["hvp"] or []))}

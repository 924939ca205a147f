#!/usr/bin/env python3
"""Writes tests/data/references.inc: what every row of the op table gives, computed without Chainrule.

    pip install mpmath; tools/references.py > tests/data/references.inc; tools/references.py orders > tests/data/orders.inc

Elementwise rows by mpmath at 50 digits, structural rows on nested lists, draws by a Philox written here from the paper (Salmon
et al., SC11). The rows, their domains and classes are read from src/ops/ops.def; a row that this file does not know stops it.

    REFERENCE(op, n, a, b, c, value, da, db, dc, daa, dab, dbb)   operands within the row's domain, exact in f32
    WIDE(op, n, a, b, c, value)                                   operands outside of it
    INTEGER(op, n, a, b, of 64 bits, of 32 bits)                  integers, which wrap
    CASE(op, formula, names, operand, operand, result)            T(rank, D(dims), numbers); named i or k: integers (i64)
    FOLD(key, n, new key)

and of smooth elementwise rows, called with orders: derivatives of order 0 to 6 by t, where the operands are a + u t and b + v t

    ORDERS(op, n, a, b, u, v, order 0, 1 .. 6)"""
import itertools
import math
import pathlib
import random
import re
import struct
import sys

import mpmath as m

m.mp.dps = 50
ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = re.findall(r"^(UNARY|BINARY|ROW)\((.*)\)$", (ROOT / "src/ops/ops.def").read_text(), re.M)


def yes(x):
    return m.mpf(bool(x))


def stumpff(a, n):
    return m.fsum((-a) ** j / m.factorial(2 * j + n) for j in range(400 if abs(a) > 100 else 60))


def mod(a, b):
    return a - b * m.floor(a / b)


def trunc(a):
    return m.sign(a) * m.floor(abs(a))


def erfinv(a):
    return m.mpf(0) if a == 0 else m.erfinv(a)


F = {
    "neg": lambda a: -a, "abs": abs, "sign": m.sign, "floor": m.floor, "ceil": m.ceil, "round": m.nint, "trunc": trunc,
    "square": lambda a: a * a, "recip": lambda a: 1 / a, "sqrt": m.sqrt, "rsqrt": lambda a: 1 / m.sqrt(a), "exp": m.exp,
    "exp2": lambda a: m.mpf(2) ** a, "expm1": m.expm1, "log": m.log, "log2": lambda a: m.log(a) / m.log(2), "log10": m.log10,
    "log1p": m.log1p, "sin": m.sin, "cos": m.cos, "tan": m.tan, "asin": m.asin, "acos": m.acos, "atan": m.atan, "sinh": m.sinh,
    "cosh": m.cosh, "tanh": m.tanh, "asinh": m.asinh, "acosh": m.acosh, "atanh": m.atanh, "sigmoid": lambda a: 1 / (1 + m.exp(-a)),
    "softplus": lambda a: m.log1p(m.exp(a)), "relu": lambda a: max(a, m.mpf(0)), "erf": m.erf, "erfc": m.erfc, "erfinv": erfinv,
    "lgamma": lambda a: m.log(abs(m.gamma(a))), "isnan": lambda a: m.mpf(0), "isinf": lambda a: m.mpf(0), "not": lambda a: yes(a == 0),
    "powi": lambda a, n: a ** n, "polygamma": lambda a, n: m.polygamma(n, a), "stumpff": stumpff,
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b,
    "pow": lambda a, b: a ** b, "maximum": max, "minimum": min, "atan2": m.atan2, "hypot": m.hypot,
    "fmod": lambda a, b: a - b * trunc(a / b), "mod": mod, "floordiv": lambda a, b: m.floor(a / b), "lt": lambda a, b: yes(a < b),
    "le": lambda a, b: yes(a <= b), "eq": lambda a, b: yes(a == b), "ne": lambda a, b: yes(a != b),
    "and": lambda a, b: yes(a and b), "or": lambda a, b: yes(a or b), "xor": lambda a, b: yes(bool(a) != bool(b)),
    "where": lambda a, b, c: b if a else c,
}
ATTRIBUTES = {"powi": (-2, -1, 0, 1, 2, 3, 7), "polygamma": (0, 1, 2, 5), "stumpff": (0, 1, 2, 3, 6)}
FLAGS = {"not": (0,), "and": (0, 1), "or": (0, 1), "xor": (0, 1), "where": (0,)}  # operands that are bools
# Where the local gradient is a constant times a step, mpmath's differences of second order would be noise of 0.
STRAIGHT = {"abs", "relu", "maximum", "minimum", "fmod", "mod", "where"}
WIDE = {
    "exp": (-700, -30.5, 1e-9, 88, 709), "exp2": (-1000.5, 1000.25), "expm1": (1e-10, -1e-10, -40, 600), "log": (1e-300, 1e300, 1.0000001),
    "log1p": (1e-12, -0.999999, 1e200), "sin": (1e-8, 1e5, -3e7), "cos": (1e5, 1.5707963267948966), "tan": (1.57, -40), "asin": (1e-9, 0.9999999),
    "acos": (-0.9999999, 0.9999999), "atan": (1e-9, 1e9), "sinh": (1e-9, 700, -40), "cosh": (-700, 40), "tanh": (1e-9, 20, -0.01),
    "asinh": (1e-9, 1e150, -1e9), "acosh": (1.0000001, 1e150), "atanh": (1e-9, 0.9999999), "sigmoid": (-700, 40, -1e-9),
    "softplus": (-700, 700, -40, 1e-9), "erf": (1e-9, 6, -0.5), "erfc": (1e-9, -5, 10, 26), "erfinv": (1e-9, 1e-300, 0.9999999999, -0.999, 1 - 2 ** -53),
    "lgamma": (1e-8, 100, 1e10, -0.5, -3.7, 1.0001, 2.0001), "log2": (8, 1e-300), "log10": (1000, 1e-300), "rsqrt": (1e-300, 1e300),
    "recip": (1e-300, 1e300), "sqrt": (1e-300, 1e300, 2),
    "powi": ((1.0001, 1000), (-3.5, 21), (2, -64), (1e-3, 100), (0, 0), (0, 3)),
    "polygamma": ((100, 0), (1e6, 0), (-0.5, 0), (-7.25, 0), (1.4616321449683622, 0), (1e-3, 0), (100, 1), (-0.5, 1), (-7.25, 1), (1e-3, 2),
                  (1e6, 1), (30, 5), (1e-2, 5), (3, 12)),
    "stumpff": ((0, 0), (0, 5), (100, 0), (100, 1), (1000.5, 2), (1000.5, 3), (400, 4), (-400, 0), (-400, 3), (1e-12, 2), (30, 1), (60, 5)),
    "pow": ((1e-5, 50), (1e150, 2), (-2, 3), (-2, -3), (0, 2.5), (1.0000001, 1e7)), "atan2": ((1, -1), (-1, -1), (0, -2), (1e-9, -1), (-3, 1e-9)),
    "hypot": ((3e200, 4e200), (3e-200, 4e-200), (0, -2), (1, 1e-9)), "fmod": ((-7.5, 2), (7.5, -2), (-7.5, -2), (1e17, 3)),
    "mod": ((-7.5, 2), (7.5, -2), (-7.5, -2), (6, 2), (-6, 2)), "floordiv": ((-7.5, 2), (7.5, -2), (-7.5, -2), (6, 2), (-6, 2)),
    "round": (0.5, 1.5, -2.5, 1e17), "floor": (-0.0001, 1e17, -3), "ceil": (0.0001, 1e17, -3), "trunc": (-0.9, 1e17), "div": ((1e300, 1e-5), (-1, 3)),
}


def operands(name, arity, low, high, i):
    while True:
        # A step of 2^-14 keeps them exact in f32, and off the integers.
        x = [m.mpf(random.randint(0, 1)) if k in FLAGS.get(name, ()) else
             m.mpf(round(random.uniform(low, high) * 4096)) / 4096 + m.mpf(2) ** -14 for k in range(arity)]
        if name in ("lt", "le", "eq", "ne") and i % 4 == 3:
            x[1] = x[0]
        if name in ("fmod", "mod", "floordiv") and abs(x[0] / x[1] - m.nint(x[0] / x[1])) < 1e-4:
            continue
        if name in ("maximum", "minimum") and x[0] == x[1]:
            continue
        return x


def number(v):
    return m.nstr(m.mpf(v), 20)


def elementwise(name, arity, low, high, value_class):
    random.seed(name)
    for n in ATTRIBUTES.get(name, (0,)):
        f = (lambda *x: F[name](*x, n)) if name in ATTRIBUTES else F[name]
        for i in range(8):
            x = operands(name, arity, low, high, i)
            flat = value_class == "ZERO_DERIVATIVE"

            def d(*orders):
                if flat or any(o and (k >= arity or k in FLAGS.get(name, ())) for k, o in enumerate(orders)):
                    return m.mpf(0)
                if sum(orders) == 2 and name in STRAIGHT:
                    return m.mpf(0)
                return m.diff(f, tuple(x), orders[:arity]) if arity > 1 else m.diff(f, x[0], orders[0])

            numbers = x + [m.mpf(0)] * (3 - arity) + [f(*x), d(1, 0, 0), d(0, 1, 0), d(0, 0, 1), d(2, 0, 0), d(1, 1, 0), d(0, 2, 0)]
            print(f"REFERENCE({name}, {n}, {', '.join(map(number, numbers))})")
    for at in WIDE.get(name, ()):
        at = at if isinstance(at, tuple) else (at,)
        n = at[1] if name in ATTRIBUTES else 0
        x = [m.mpf(float(v)) for v in at[:arity]]
        with m.workdps(400):
            value = F[name](*x, n) if name in ATTRIBUTES else F[name](*x)
        shown = ", ".join(repr(float(v)) for v in x + [0] * (3 - arity))
        print(f"WIDE({name}, {n}, {shown}, {number(m.re(value))})")


# ---- Integers ----

def wrap(v, bits):
    return (v + 2 ** (bits - 1)) % 2 ** bits - 2 ** (bits - 1)


I = {"neg": lambda a, b: -a, "abs": lambda a, b: abs(a), "sign": lambda a, b: (a > 0) - (a < 0), "square": lambda a, b: a * a,
     "relu": lambda a, b: max(a, 0), "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
     "maximum": lambda a, b: max(a, b), "minimum": lambda a, b: min(a, b), "mod": lambda a, b: a % b if b else 0,
     "floordiv": lambda a, b: a // b if b else 0, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "eq": lambda a, b: a == b,
     "ne": lambda a, b: a != b, "powi": lambda a, b: a ** 3, "isnan": lambda a, b: 0, "isinf": lambda a, b: 0}


def integers(name, rule):
    if rule not in ("NUMBER", "COMPARE"):
        return
    for a, b in ((7, 2), (-7, 2), (7, -2), (-7, -2), (0, 5), (5, 0), (-3, 0), (6, 3), (-6, 3), (2 ** 31 - 1, 2), (-2 ** 31, -1), (4, 4)):
        v = int(I[name](a, b))
        print(f"INTEGER({name}, {3 if name == 'powi' else 0}, {a}, {b}, {wrap(v, 64)}, {wrap(v, 32)})")


# ---- Structural rows, on arrays that are {index: number} with dims ----

class Array:
    def __init__(self, dims, at):
        self.dims = tuple(dims)
        self.v = [at(i) for i in itertools.product(*map(range, self.dims))]

    def __getitem__(self, i):
        k = 0
        for j, n in zip(i, self.dims):
            k = k * n + j
        return self.v[k]

    def __str__(self):
        dims = ", ".join(map(str, self.dims)) or "0"
        values = ", ".join(v if isinstance(v, str) else repr(float(v)) for v in self.v) or "0"
        return f"T({len(self.dims)}, D({dims}), {values})"


NOTHING = "T(0, D(0), 0)"


def some(*dims, low=-12, high=12):
    """Quarters: sums and products of a few are exact."""
    return Array(dims, lambda i: random.randint(low, high) / 4)


def given(dims, values):
    values = iter(values)
    return Array(dims, lambda i: next(values))


def case(op, formula, result, names="x", x=None, y=None):
    print(f'CASE({op}, "{formula}", "{names}", {x if x is not None else NOTHING}, {y if y is not None else NOTHING}, {result})')


def reduced(x, axes, f, keep=False):
    rest = [n for k, n in enumerate(x.dims) if k not in axes]

    def at(i):
        return f([x[j] for j in itertools.product(*map(range, x.dims)) if [v for k, v in enumerate(j) if k not in axes] == list(i)])
    y = Array(rest, at)
    if keep:
        y.dims = tuple(1 if k in axes else n for k, n in enumerate(x.dims))
    return y


def reductions():
    for op, f, empty in (("sum", sum, "0"), ("prod", math.prod, "1"), ("max", max, "-INFINITY"), ("min", min, "INFINITY")):
        x = some(2, 3, 2)
        case(op, f"{op}(x)", reduced(x, (0, 1, 2), f), x=x)
        case(op, f"{op}(x, axis=1)", reduced(x, (1,), f), x=x)
        case(op, f"{op}(x, axis=[0, -1])", reduced(x, (0, 2), f), x=x)
        case(op, f"{op}(x, axis=0, keep=true)", reduced(x, (0,), f, True), x=x)
        z = Array((0, 2), lambda i: 0)
        case(op, f"{op}(x, axis=0)", given((2,), [empty, empty]), x=z)
        case(op, f"{op}(x, axis=1)", Array((0,), lambda i: 0), x=z)
    case("sum", "sum(x > 0, axis=0)", given((2,), [2, 1]), x=given((3, 2), [1, -1, 2, 3, -2, 0]))
    case("max", "max(x)", given((), ["NAN"]), x=given((3,), [1, "NAN", 2]))
    case("min", "min(x)", given((), ["NAN"]), x=given((3,), [1, "NAN", 2]))
    x = given((2, 4), [1, 3, 3, 2, -1, -1, 0, -1])
    case("argmax", "argmax(x)", given((2,), [1, 2]), x=x)
    case("argmin", "argmin(x)", given((2,), [0, 0]), x=x)
    case("argmax", "argmax(x, axis=0)", given((4,), [0, 0, 0, 0]), x=x)
    case("argmin", "argmin(x, axis=-2)", given((4,), [1, 1, 1, 1]), x=x)


def running(x, axis, reverse, f):
    def at(i):
        places = range(i[axis], x.dims[axis]) if reverse else range(i[axis] + 1)
        order = sorted(places, reverse=reverse)
        return f([i[:axis] + (k,) + i[axis + 1:] for k in order])
    return Array(x.dims, at)


def along():
    for axis, reverse in ((0, False), (1, False), (0, True), (1, True)):
        x, y = some(3, 4), some(3, 4)
        tail = f"axis={axis}, reverse={str(reverse).lower()}"
        case("cumsum", f"cumsum(x, {tail})", running(x, axis, reverse, lambda js: sum(x[j] for j in js)), x=x)

        def recur(js):
            z = 0
            for j in js:
                z = x[j] * z + y[j]
            return z
        case("recur", f"recur(x, y, {tail})", running(x, axis, reverse, recur), "xy", x, y)


def views():
    x = some(2, 3, 2)
    case("reshape", "reshape(x, [3, 4])", given((3, 4), x.v), x=x)
    case("reshape", "reshape(x, [-1, 2, 1])", given((6, 2, 1), x.v), x=x)
    case("permute", "permute(x, [2, 0, 1])", Array((2, 2, 3), lambda i: x[i[1], i[2], i[0]]), x=x)
    case("permute", "reshape(permute(x, [1, 2, 0]), [6, 2])", given((6, 2), Array((3, 2, 2), lambda i: x[i[2], i[0], i[1]]).v), x=x)
    y = some(3, 1)
    case("expand", "expand(x, [2, 3, 4])", Array((2, 3, 4), lambda i: y[i[1], 0]), x=y)
    case("expand", "expand(x, [2, 2])", given((2, 2), [1.5] * 4), x=given((), [1.5]))
    y = some(4, 5)
    case("slice", "slice(x, [0, 1], [2, 3], [2, 2])", Array((2, 2), lambda i: y[2 * i[0], 1 + 3 * i[1]]), x=y)
    case("slice", "x[::-1, 3:0:-2]", Array((4, 2), lambda i: y[3 - i[0], 3 - 2 * i[1]]), x=y)
    case("slice", "x[1:1]", Array((0, 5), lambda i: 0), x=y)
    z = some(2, 2)
    case("unslice", "unslice(x, [1, 4], [2, -3], [4, 5])",
         Array((4, 5), lambda i: z[(i[0] - 1) // 2, (4 - i[1]) // 3] if i[0] in (1, 3) and i[1] in (4, 1) else 0), x=z)
    case("unslice", "pad(x, [1, 0], [0, 2])", Array((3, 4), lambda i: z[i[0] - 1, i[1]] if i[0] and i[1] < 2 else 0), x=z)


def windows():
    x = some(2, 7)
    case("window", "window(x, 3, stride=2)", Array((2, 3, 3), lambda i: x[i[0], 2 * i[1] + i[2]]), x=x)
    case("window", "window(x, 2, stride=3, dilation=4)", Array((2, 1, 2), lambda i: x[i[0], 3 * i[1] + 4 * i[2]]), x=x)
    y = some(4, 5)
    case("window", "window(x, [2, 3], stride=[1, 2], dilation=[2, 1])", Array((2, 2, 2, 3), lambda i: y[i[0] + 2 * i[2], 2 * i[1] + i[3]]), x=y)
    case("window", "window(t(x)[::-1], 4)", Array((5, 1, 4), lambda i: y[i[2], 4 - i[0]]), x=y)
    case("window", "window(x, 2)", Array((0, 2, 2), lambda i: 0), x=Array((0, 3), lambda i: 0))

    def added(x, dims, stride, dilation):
        n = len(stride)
        lead = len(dims) - n
        y = Array(dims, lambda i: 0)

        def at(i):
            total = 0
            for j in itertools.product(*map(range, x.dims)):
                place, k = j[lead:lead + n], j[lead + n:]
                if j[:lead] == i[:lead] and all(p * s + q * d == v for p, q, s, d, v in zip(place, k, stride, dilation, i[lead:])):
                    total += x[j]
            return total
        return Array(y.dims, at)
    z = some(2, 3, 3)
    case("window_add", "window_add(x, 7, stride=2)", added(z, (2, 7), (2,), (1,)), x=z)
    case("window_add", "window_add(t(x), 9, stride=1, dilation=2)", added(Array((2, 3, 3), lambda i: z[i[0], i[2], i[1]]), (2, 9), (1,), (2,)), x=z)
    z = some(2, 2, 2, 3)
    case("window_add", "window_add(x, [4, 5], stride=[1, 2], dilation=[2, 1])", added(z, (4, 5), (1, 2), (2, 1)), x=z)
    case("window_add", "window_add(x, 3)", Array((0, 3), lambda i: 0), x=Array((0, 2, 2), lambda i: 0))
    z = some(2, 3)
    case("window_add", "window_add(x, 9, stride=2)", added(z, (9,), (2,), (1,)), x=z)
    case("window_add", "window_add(x, 3)", given((2, 3), [0] * 6), x=Array((2, 0, 4), lambda i: 0))


def moves():
    x, y = some(2, 3), some(2, 2)
    case("concat", "concat(x, y, x, axis=1)", Array((2, 8), lambda i: x[i] if i[1] < 3 else y[i[0], i[1] - 3] if i[1] < 5 else x[i[0], i[1] - 5]), "xy", x, y)
    y = some(1, 3)
    case("concat", "concat(x, y)", given((3, 3), x.v + y.v), "xy", x, y)
    x, i = some(4, 2), given((2, 3), [3, 0, 0, 1, 2, 3])
    case("gather", "gather(x, i)", Array((2, 3, 2), lambda j: x[int(i[j[:2]]), j[2]]), "xi", x, i)
    x, i = some(2, 4), given((2, 3), [3, 0, 0, 1, 2, 3])
    case("gather", "gather(x, i, batch=1)", Array((2, 3), lambda j: x[j[0], int(i[j])]), "xi", x, i)
    x, i = some(5, 2), given((5,), [2, 0, 2, 2, 3])
    case("scatter_add", "scatter_add(x, i, 4)", Array((4, 2), lambda j: sum(x[k, j[1]] for k in range(5) if i[k,] == j[0])), "xi", x, i)
    x, i = some(2, 3), given((2, 3), [1, 1, 0, 2, 0, 2])
    case("scatter_add", "scatter_add(x, i, 3, batch=1)", Array((2, 3), lambda j: sum(x[j[0], k] for k in range(3) if i[j[0], k] == j[1])), "xi", x, i)
    x = given((2, 5), [2, -1, 2, 0.5, -3, 0, 0, 1, -1, 1])
    case("sort", "sort(x)", Array((2, 5), lambda i: sorted(x.v[5 * i[0]:5 * i[0] + 5])[i[1]]), x=x)
    case("sort", "sort(x, descending=true)", Array((2, 5), lambda i: sorted(x.v[5 * i[0]:5 * i[0] + 5], reverse=True)[i[1]]), x=x)
    case("sort", "argsort(x)", given((2, 5), [4, 1, 3, 0, 2, 3, 0, 1, 2, 4]), x=x)
    case("sort", "sort(x, axis=0)", Array((2, 5), lambda i: sorted((x[0, i[1]], x[1, i[1]]))[i[0]]), x=x)
    case("sort", "sort(x)", given((4,), ["-INFINITY", 1, "INFINITY", "NAN"]), x=given((4,), ["INFINITY", "NAN", 1, "-INFINITY"]))


def products():
    def matmul(x, y):
        return Array((x.dims[0], y.dims[1]), lambda i: sum(x[i[0], k] * y[k, i[1]] for k in range(x.dims[1])))
    x, y = some(3, 4), some(4, 2)
    case("matmul", "x @ y", matmul(x, y), "xy", x, y)
    case("matmul", "t(y) @ t(x)", Array((2, 3), lambda i: matmul(x, y)[i[1], i[0]]), "xy", x, y)
    y = some(4)
    case("matmul", "x @ y", Array((3,), lambda i: sum(x[i[0], k] * y[k,] for k in range(4))), "xy", x, y)
    case("matmul", "y @ t(x)", Array((3,), lambda i: sum(x[i[0], k] * y[k,] for k in range(4))), "xy", x, y)
    x, y = some(2, 1, 3, 2), some(2, 2, 2)
    case("matmul", "x @ y", Array((2, 2, 3, 2), lambda i: sum(x[i[0], 0, i[2], k] * y[i[1], k, i[3]] for k in range(2))), "xy", x, y)
    case("matmul", "x @ y", Array((2, 3), lambda i: 0), "xy", Array((2, 0), lambda i: 0), Array((0, 3), lambda i: 0))


def matrix(x, *lead):
    """Of a batch, as mpmath has it."""
    return m.matrix([[x[lead + (i, j)] for j in range(x.dims[-1])] for i in range(x.dims[-2])])


def listed(dims, *matrices):
    return given(dims, [number(a[i, j]) for a in matrices for i in range(a.rows) for j in range(a.cols)])


def symmetric(a):
    return (a + a.T) / 2


def eigen(a):
    """Ascending; of each vector the first of its largest elements is positive."""
    values, vectors = m.eigsy(symmetric(a))
    for j in range(a.cols):
        best = max(range(a.rows), key=lambda i: (round(abs(vectors[i, j]), 12), -i))
        if vectors[best, j] < 0:
            for i in range(a.rows):
                vectors[i, j] = -vectors[i, j]
    return m.matrix(list(values)), vectors


def linear_algebra():
    x, y = some(2, 3, 3), some(2, 3, 2)
    for i in range(2):  # positive definite: heavy diagonals
        for k in range(3):
            x.v[9 * i + 4 * k] = 9 + k / 2
    both = [matrix(x, i) for i in range(2)]
    right = [matrix(y, i) for i in range(2)]
    case("cholesky", "cholesky(x)", listed((2, 3, 3), *[m.cholesky(symmetric(a)) for a in both]), x=x)
    case("cholesky", "cholesky(x)", Array((0, 2, 2), lambda i: 0), x=Array((0, 2, 2), lambda i: 0))
    case("cholesky", "cholesky(x)", Array((2, 0, 0), lambda i: 0), x=Array((2, 0, 0), lambda i: 0))
    lower = [m.matrix(3, 3) for _ in both]
    for a, b in zip(lower, both):
        for i in range(3):
            for j in range(i + 1):
                a[i, j] = b[i, j]
    upper = [b - a for a, b in zip(lower, both)]
    for a, b in zip(upper, both):
        for i in range(3):
            a[i, i] = b[i, i]
    case("triangular_solve", "triangular_solve(x, y)", listed((2, 3, 2), *[a ** -1 * b for a, b in zip(lower, right)]), "xy", x, y)
    case("triangular_solve", "triangular_solve(x, y, upper=true)", listed((2, 3, 2), *[a ** -1 * b for a, b in zip(upper, right)]), "xy", x, y)
    one = some(3)
    v = m.matrix(one.v)
    case("triangular_solve", "triangular_solve(x[1], y)", listed((3,), lower[1] ** -1 * v), "xy", x, one)
    x = some(2, 3, 3)
    x.v[0] = 0  # a row exchange
    both = [matrix(x, i) for i in range(2)]
    case("solve", "solve(x, y)", listed((2, 3, 2), *[a ** -1 * b for a, b in zip(both, right)]), "xy", x, y)
    case("solve", "solve(t(x), y)", listed((2, 3, 2), *[a.T ** -1 * b for a, b in zip(both, right)]), "xy", x, y)
    case("solve", "solve(x, y[0])", listed((2, 3, 2), *[a ** -1 * right[0] for a in both]), "xy", x, y)
    case("solve", "solve(x[0], y)", listed((3,), both[0] ** -1 * v), "xy", x, one)
    case("solve", "inv(x)", listed((2, 3, 3), *[a ** -1 for a in both]), x=x)
    case("solve", "solve(x, y)", Array((0, 2), lambda i: 0), "xy", Array((0, 0), lambda i: 0), Array((0, 2), lambda i: 0))
    case("logabsdet", "logabsdet(x)", given((2,), [number(m.log(abs(m.det(a)))) for a in both]), x=x)
    case("logabsdet", "detsign(x)", given((2,), [number(m.sign(m.det(a))) for a in both]), x=x)
    case("logabsdet", "det(x)", given((2,), [number(m.det(a)) for a in both]), x=x)
    case("logabsdet", "logabsdet(x)", given((2,), ["-INFINITY", 0]), x=given((2, 2, 2), [1, 2, 2, 4, 0, 1, 1, 0]))
    case("logabsdet", "detsign(x)", given((2,), [0, -1]), x=given((2, 2, 2), [1, 2, 2, 4, 0, 1, 1, 0]))
    case("logabsdet", "det(x)", given((2,), [1, 1]), x=Array((2, 0, 0), lambda i: 0))
    pairs = [eigen(a) for a in both]
    case("eigh", "eigh(x)", listed((2, 3), *[p[0] for p in pairs]), x=x)
    case("eigh", "eigh_vectors(x)", listed((2, 3, 3), *[p[1] for p in pairs]), x=x)
    case("eigh", "eigh(x)", given((3,), [2, 2, 2]), x=given((3, 3), [2, 0, 0, 0, 2, 0, 0, 0, 2]))
    case("eigh", "eigh(x)", Array((2, 0), lambda i: 0), x=Array((2, 0, 0), lambda i: 0))


def casts():
    x = given((7,), [2.75, -2.75, 0.5, -0.5, 1e30, -1e30, 0])
    case("cast", "cast(x, i32)", given((7,), [2, -2, 0, 0, 2 ** 31 - 1, -2 ** 31, 0]), x=x)
    case("cast", "cast(x, bool)", given((7,), [1, 1, 1, 1, 1, 1, 0]), x=x)
    x = given((8,), [1 / 3, -1 / 3, 65504, 65519.9, 65520, 6e-8, 2.0 ** -25, 1 + 2.0 ** -11])
    half = [struct.unpack("e", struct.pack("e", v))[0] if abs(v) < 65520 else "INFINITY" for v in x.v]
    case("cast", "cast(cast(x, f16), f64)", given((8,), half), x=x)
    x = given((6,), [1 / 3, -1 / 3, 1 + 2.0 ** -8, 1 + 3 * 2.0 ** -8, 1e30, 3.5])

    def bf16(v):  # of the f32 nearest to v; to nearest, ties to even
        b = struct.unpack("I", struct.pack("f", v))[0]
        return struct.unpack("f", struct.pack("I", (b + 0x7FFF + (b >> 16 & 1)) >> 16 << 16))[0]
    case("cast", "cast(cast(x, bf16), f64)", given((6,), [bf16(v) for v in x.v]), x=x)
    case("cast", "cast(cast(x, f32), f64)", given((6,), [struct.unpack("f", struct.pack("f", v))[0] for v in x.v]), x=x)


def philox(c, k):
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & 0xFFFFFFFF, p >> 32 ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) % 2 ** 32, (k[1] + 0xBB67AE85) % 2 ** 32]
    return c


def bits(key, i, stream):
    out = philox([i % 2 ** 32, i >> 32 & 0xFFFFFFFF, stream, 0], [key % 2 ** 32, key >> 32 & 0xFFFFFFFF])
    return out[1] << 32 | out[0]


assert philox([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]  # Random123's kat_vectors


def draws():
    for key in (0, 7, -1, 2 ** 40 + 3):
        k = given((), [key])
        case("uniform", "uniform(k, shape=[2, 3])", given((2, 3), [((bits(key, i, 0) >> 12) + 0.5) / 2 ** 52 for i in range(6)]), "k", k)
        case("uniform", "cast(uniform(k, shape=[5], dtype=f32), f64)", given((5,), [((bits(key, i, 0) >> 41) + 0.5) / 2 ** 23 for i in range(5)]), "k", k)
    keys = (7, -1)  # a draw for each
    case("uniform", "uniform(k, shape=[3])", given((2, 3), [((bits(key, i, 0) >> 12) + 0.5) / 2 ** 52 for key in keys for i in range(3)]), "k", given((2,), keys))
    for key, n in ((0, 0), (0, 1), (1, 0), (-5, 3), (2 ** 62 + 12345, -1), (7, 2 ** 33)):
        print(f"FOLD({key}, {n}, {wrap(bits(key, n, 1), 64)})".replace(str(-2 ** 63), "INT64_MIN"))


def functions():
    x, y = some(4), some()
    h = y[()]
    for v in x.v:
        h = h * v + 1
    case("scan", "fn f(h, v) = h*v + 1; scan(f, y, x)", given((), [h]), "xy", x, y)
    x, y = some(3, 2), some(2)
    h, left = list(y.v), {}
    for i in (2, 1, 0):
        h = [h[j] * y[j,] + x[i, j] for j in range(2)]
        left[i] = [h[j] * x[i, j] for j in range(2)]
    case("scan", "fn f(h, v, k) { z = h*k + v; [z, z*v] }; r = scan(f, y, x, k=y, reverse=true); r[1]", given((3, 2), left[0] + left[1] + left[2]), "xy", x, y)
    case("scan", "fn f(h, v, k) { z = h*k + v; [z, z*v] }; r = scan(f, y, x, k=y, reverse=true); r[0]", given((2,), h), "xy", x, y)
    case("scan", "fn f(h, k) = h*k; scan(f, x, steps=3, k=y)", Array((2,), lambda i: x[0, i[0]] * y[i] ** 3), "xy", given((2,), x.v[:2]), y)
    case("scan", "fn f(h, v) = h*v; scan(f, y, x)", y, "xy", Array((0, 2), lambda i: 0), y)
    x, y = some(2, 3), some(3)
    case("scan", "fn f(v, k) = v*v*k; map(f, x, k=y)", Array((2, 3), lambda i: x[i] ** 2 * y[i[1],]), "xy", x, y)
    case("scan", "fn more(h, k) = h < 5; fn f(h, k) = h*k + 1; while(more, f, x, most=8, k=y)", given((), [5.3125]), "xy", given((), [1.25]), given((), [1.5]))
    case("scan", "fn more(h, k) = h < 5; fn f(h, k) = h*k + 1; while(more, f, x, most=8, k=y)", given((), [7.5]), "xy", given((), [7.5]), given((), [1.5]))
    for x in given((2,), [1.5, 0.25]), given((2,), [1.5, -2.25]):
        y = some(2)
        case("cond", "fn f(a, b) = a*b; fn g(a, b) = a + b*b; cond(sum(x) > 0, f, g, x, y)",
             Array((2,), lambda i: x[i] * y[i] if sum(x.v) > 0 else x[i] + y[i] ** 2), "xy", x, y)
    x, y = some(2, 3), some(3)
    case("call", "fn f(a, b) = [a*b, a - b]; r = checkpoint(f, x, y); r[0] + r[1]*r[1]",
         Array((2, 3), lambda i: x[i] * y[i[1],] + (x[i] - y[i[1],]) ** 2), "xy", x, y)
    y = given((2,), [1.5, -0.5])
    case("implicit", "fn f(v, k) = v*v*v + v - k; implicit(f, y, k=x)", y, "xy", Array((2,), lambda i: y[i] ** 3 + y[i]), y)


STRUCTURAL = {"sum", "prod", "max", "min", "argmax", "argmin", "cumsum", "recur", "reshape", "permute", "expand", "slice", "unslice", "window", "window_add", "concat",
              "gather", "scatter_add", "sort", "matmul", "cholesky", "triangular_solve", "solve", "logabsdet", "eigh", "uniform", "cast", "fold_in",
              "call", "cond", "scan", "implicit"}
NO_FUNCTION = {"input", "param", "const", "iota", "seed", "step_number", "variable", "stop_gradient", "part"}

def orders(name, arity, low, high):
    random.seed(name)
    for n in ATTRIBUTES.get(name, (0,)):
        f = (lambda *x: F[name](*x, n)) if name in ATTRIBUTES else F[name]
        for _ in range(3):
            x, u = operands(name, arity, low, high, 0), [m.mpf(random.randint(2, 8)) / 8 for _ in range(arity)]
            with m.workdps(80):
                d = [m.diff(lambda t: f(*(a + b * t for a, b in zip(x, u))), 0, k) for k in range(7)]
            pad = [m.mpf(0)] * (2 - arity)
            print(f"ORDERS({name}, {n}, {', '.join(map(number, x + pad + u + pad + d))})")


only_orders = sys.argv[1:] == ["orders"]
print('/* Made by tools/references.py (mpmath, 50 digits): what the rows of the op table give, computed without Chainrule. */')
for form, rest in ROWS:
    name = rest.split(",")[0].strip()
    if name in STRUCTURAL or name in NO_FUNCTION or not name.isidentifier() or name == "name":
        continue
    rule, kind, low, high = re.search(r", (\w+), (SMOOTH|PIECEWISE|ZERO_DERIVATIVE), (-?[\d.]+), (-?[\d.]+),", rest).groups()
    arity = {"UNARY": 1, "BINARY": 2, "ROW": 3 if name == "where" else 1}[form]
    if only_orders:
        if kind == "SMOOTH":
            orders(name, arity, float(low), float(high))
        continue
    elementwise(name, arity, float(low), float(high), kind)
    integers(name, rule)
if only_orders:
    sys.exit()
random.seed(2)
for make in (reductions, along, views, windows, moves, products, linear_algebra, casts, draws, functions):
    make()

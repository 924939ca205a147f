#!/usr/bin/env python3
"""Writes tests/data/references.inc: values and derivatives of every elementwise row of the op table by mpmath at 50 digits.

    pip install mpmath; tools/references.py > tests/data/references.inc

A line is REFERENCE(op, n, operands a b c, value, derivatives by each operand, second derivatives by each operand). Operands are
doubles in the row's domain, written exactly."""
import pathlib
import random
import re

import mpmath as m

m.mp.dps = 50
root = pathlib.Path(__file__).resolve().parent.parent
text = (root / "src/ops/ops.def").read_text()


def mod(a, b):
    return a - b * m.floor(a / b)


F = {
    "neg": lambda a: -a, "abs": abs, "sign": m.sign, "floor": m.floor, "ceil": m.ceil, "round": m.nint,
    "trunc": lambda a: m.sign(a) * m.floor(abs(a)), "square": lambda a: a * a, "recip": lambda a: 1 / a, "sqrt": m.sqrt,
    "rsqrt": lambda a: 1 / m.sqrt(a), "exp": m.exp, "exp2": lambda a: m.mpf(2) ** a, "expm1": m.expm1, "log": m.log,
    "log2": lambda a: m.log(a) / m.log(2), "log10": m.log10, "log1p": lambda a: m.log(1 + a), "sin": m.sin, "cos": m.cos, "tan": m.tan,
    "asin": m.asin, "acos": m.acos, "atan": m.atan, "sinh": m.sinh, "cosh": m.cosh, "tanh": m.tanh, "asinh": m.asinh, "acosh": m.acosh,
    "atanh": m.atanh, "sigmoid": lambda a: 1 / (1 + m.exp(-a)), "softplus": lambda a: m.log(1 + m.exp(a)),
    "relu": lambda a: max(a, m.mpf(0)), "erf": m.erf, "erfinv": m.erfinv, "lgamma": lambda a: m.log(m.gamma(a)),
    "isnan": lambda a: m.mpf(0), "isinf": lambda a: m.mpf(0), "not": lambda a: m.mpf(a == 0),
    "powi": lambda a, n=3: a ** n, "polygamma": lambda a, n=1: m.polygamma(n, a),
    "stumpff": lambda a, n=1: m.nsum(lambda j: (-a) ** j / m.factorial(2 * j + n), [0, m.inf]),
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": lambda a, b: a / b, "pow": lambda a, b: a ** b,
    "maximum": max, "minimum": min, "atan2": m.atan2, "hypot": m.hypot, "fmod": lambda a, b: a - b * m.floor(a / b), "mod": mod,
    "floordiv": lambda a, b: m.floor(a / b), "lt": lambda a, b: m.mpf(a < b), "le": lambda a, b: m.mpf(a <= b), "eq": lambda a, b: m.mpf(a == b),
    "ne": lambda a, b: m.mpf(a != b), "and": lambda a, b: m.mpf(bool(a) and bool(b)), "or": lambda a, b: m.mpf(bool(a) or bool(b)),
    "xor": lambda a, b: m.mpf(bool(a) != bool(b)), "where": lambda a, b, c: b if a else c,
}
N = {"powi": 3, "polygamma": 1, "stumpff": 1}
STEPS = {"abs", "sign", "floor", "ceil", "round", "trunc", "relu", "maximum", "minimum", "fmod", "mod", "floordiv", "where",
         "isnan", "isinf", "not", "lt", "le", "eq", "ne", "and", "or", "xor"}


def slope(f, args, k, order):
    if order == 2 and f.__name__ == "step":
        return m.mpf(0)
    return m.diff(lambda v: f(*args[:k], v, *args[k + 1:]), args[k], order)


print("/* Made by tools/references.py with mpmath at 50 digits: REFERENCE(op, n, a, b, c, value, da, db, dc, daa, dbb, dcc). */")
random.seed(1)
for form, rest in re.findall(r"^(UNARY|BINARY|ROW)\((.*)\)$", text, re.M):
    name = rest.split(",")[0].strip()
    if name not in F or (form == "ROW" and "ELEM(" not in rest):
        continue
    low, high = re.search(r"(?:SMOOTH|PIECEWISE|ZERO_DERIVATIVE), (-?[\d.]+), (-?[\d.]+),", rest).groups()
    arity = {"UNARY": 1, "BINARY": 2, "ROW": 3 if name == "where" else 1}[form]
    for _ in range(8):
        boolean = name in ("not", "and", "or", "xor")
        args = [m.mpf(random.randint(0, 1)) if boolean or (name == "where" and k == 0) else
                m.mpf(round(random.uniform(float(low), float(high)) * 4096) / 4096 + 2.0 ** -14) for k in range(arity)]
        f = F[name]
        value = f(*args)
        d1, d2 = [], []
        for k in range(3):
            skip = k >= arity or boolean or (name == "where" and k == 0)
            d1.append(m.mpf(0) if skip else m.diff(lambda v: f(*args[:k], v, *args[k + 1:]), args[k]))
            d2.append(m.mpf(0) if skip or name in STEPS else m.diff(lambda v: f(*args[:k], v, *args[k + 1:]), args[k], 2))
        numbers = [m.nstr(v, 20) for v in args + [m.mpf(0)] * (3 - arity) + [value] + d1 + d2]
        print(f"REFERENCE({name}, {N.get(name, 0)}, {', '.join(numbers)})")

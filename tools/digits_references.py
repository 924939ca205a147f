#!/usr/bin/env python3
"""Writes tests/data/digits.inc: NIST's reference problems in exact arithmetic, as far as that matters.

    pip install mpmath; tools/digits_references.py > tests/data/digits.inc

Loss and gradient (mpmath, 50 digits) of every problem in tests/data/nist at its first start, or at the certified parameters where
it has none, of data and parameters as the doubles that a C program reads. Each number in two parts, so that it is known to 30 digits:

    NIST(file, high, low of the loss, high, low of its derivative by b1, by b2 ...)"""
import math
import pathlib
import re

import mpmath as m

m.mp.dps = 50
ROOT = pathlib.Path(__file__).resolve().parent.parent / "tests/data/nist"
WORDS = {"exp": m.exp, "log": m.log, "sin": m.sin, "cos": m.cos, "atan": m.atan, "sqrt": m.sqrt, "pi": m.mpf(math.pi)}


def parameters(lines):
    """Names and where the problem is looked at."""
    found = [re.match(r"\s*(b\d+)\s*=\s*(\S+)\s+\S+\s+\S+\s+\S+\s*$", line) for line in lines]
    if any(found):
        return [(f[1], float(f[2])) for f in found if f]
    start = next(i for i, line in enumerate(lines) if "Certified Regression" in line)
    found = [re.match(r"\s*(B\d+)\s+(\S+)\s+(\S+)\s*$", line) for line in lines[start:]]
    return [(f[1], float(f[2])) for f in found if f]


def data(lines):
    head = max(i for i, line in enumerate(lines) if line.startswith("Data:"))
    names, rows = lines[head][5:].split(), []
    for line in lines[head + 1:]:
        if len(line.split()) < len(names):
            break
        rows.append([float(v) for v in line.split()[:len(names)]])
    return names, rows


def formula(lines, names):
    """Left and right of the model's equation, as Python."""
    at = next(i for i, line in enumerate(lines) if "Model:" in line)
    while "=" not in lines[at] or "pi =" in lines[at]:
        at += 1
    text = ""
    while "Certified" not in lines[at]:
        text += re.sub(r"\s", "", lines[at])
        at += 1
    left, right = re.sub(r"\+e$", "", text).split("=", 1)
    if "..." in right:
        right = "+".join(f"{name}*x**{k}" if k else name for k, name in enumerate(names))
    return [s.replace("[", "(").replace("]", ")").replace("arctan", "atan") for s in (left, right)]


def two_parts(v):
    high = float(v)
    return f"{high!r}, {float(v - m.mpf(high))!r}"


print("/* Made by tools/digits_references.py (mpmath, 50 digits): losses and gradients of NIST's problems. */")
for path in sorted(ROOT.glob("*/*.dat")):
    lines = path.read_text(encoding="latin-1").splitlines()
    params, (columns, rows) = parameters(lines), data(lines)
    left, right = (compile(s, path.name, "eval") for s in formula(lines, [name for name, _ in params]))
    at = [m.mpf(v) for _, v in params]

    def loss(*b):
        total = m.mpf(0)
        for row in rows:
            known = dict(WORDS, **dict(zip(columns, map(m.mpf, row))), **dict(zip([name for name, _ in params], b)))
            total += (eval(left, known) - eval(right, known)) ** 2
        return total

    gradient = [m.diff(loss, tuple(at), tuple(int(i == k) for i in range(len(at)))) for k in range(len(at))]
    print(f'NIST("{path.parent.name}/{path.name}", {", ".join(map(two_parts, [loss(*at)] + gradient))})')

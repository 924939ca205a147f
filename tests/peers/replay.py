"""tests/data/peers.txt: a small sample or two of every op, with what PyTorch computed, for tests/grad/peers.c.

    sample NAME
    operand NAME DTYPE RANK DIMS.. NUMBERS..          d before the name: differentiated by
    formula TEXT                                      for each result
    value RANK DIMS.. NUMBERS..                       for each result; cotangent, jvp: for each that has derivatives
    tangent NUMBERS.., vjp NUMBERS.., hvp NUMBERS..   for each operand that is differentiated by
and then the differences (document.py): point FORMULA, x NUMBERS.., order K NUMBERS..; refused FORMULA, x NUMBERS.., sentence TEXT"""
import os

import torch

from sample import differentiable

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "peers.txt")
LARGEST, SMALL = 300, 60  # numbers of a sample, and of a second one of an op
DTYPES = {torch.float64: "f64", torch.int64: "i64", torch.int32: "i32", torch.bool: "bool"}
HEADER = """# Made by tests/peers/check.py --write (PyTorch {}): what PyTorch computes for samples of its own tests. tests/peers/replay.py says
# what a line is.
"""


def numbers(t): return " ".join(f"{v:.17g}" if float(f"{v:.13g}") != v else f"{v:.13g}" for v in t.detach().double().reshape(-1).tolist())


def short(t): return " ".join(f"{v:.13g}" for v in t.detach().double().reshape(-1).tolist())


def shaped(t): return " ".join(map(str, (t.ndim, *t.shape)))


def line(*parts): return " ".join(p for p in parts if p) + "\n"


def text(s, e):
    """The lines of a sample whose results all have formulas."""
    out = line("sample", s.name)
    for n, t in s.data.items(): out += line("doperand" if n in s.wrt else "operand", n, DTYPES[t.dtype], shaped(t), numbers(t))
    for f in s.formulas: out += line("formula", f)
    for y in e["values"]: out += line("value" if not (differentiable(y) and e["vjp"]) else "dvalue", shaped(y), short(y))
    for kind in ("v", "jvp", "u", "vjp", "hvp"):
        for t in e[kind] or []: out += line({"v": "cotangent", "u": "tangent"}.get(kind, kind), short(t))
    return out


def size(s, e): return sum(t.numel() for some in [s.data.values(), *[e[k] or [] for k in e]] for t in some)


class Writer:
    def __init__(self): self.kept = {}

    def offer(self, s, e):
        """Samples that are small, but have elements, whole formulas and finite numbers."""
        every = [t for k in e for t in e[k] or []]
        if None in s.formulas or any(t.dtype not in DTYPES for t in s.data.values()) or len(s.formulas) != len(e["values"]): return
        if not every or max(t.numel() for t in every) < 4 or any(t.is_floating_point() and not torch.isfinite(t).all() for t in every): return
        if size(s, e) <= LARGEST: self.kept.setdefault(s.name, []).append((size(s, e), s.number, text(s, e)))

    def update(self, write, points):
        lines = HEADER.format(torch.__version__.split("+")[0])
        for name in sorted(self.kept):
            first, *more = sorted(self.kept[name])
            lines += first[2] + (more[0][2] if more and more[0][0] <= SMALL else "")
        count = lines.count("\nsample ")
        lines += points
        print(f"  {count} of them are small enough to be replayed without PyTorch: {len(lines) / 1024:.0f} KiB")
        if write: open(FILE, "w").write(lines)
        elif open(FILE).read().split("\n", 2)[2] != lines.split("\n", 2)[2]: print("  (tests/data/peers.txt was made with other numbers: another PyTorch or processor)")
        return [] if count >= 300 else [f"only {count} samples to replay"]

"""The tables of docs/peers.md: what differs at which point, what is refused, which samples have no formula. Made from what both sides
compute now; where the page says otherwise, that is a failure."""
import collections
import os
import re

import torch

import bridge
from differences import SAMPLES

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "peers.md")


def by_torch(f, x):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y, out = f(x), []
    for _ in range(3):
        out.append(y.detach())
        if not y.requires_grad: break
        try: y = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        except RuntimeError: break  # not implemented
    return out


def by_chainrule(formula, x, orders):
    g, x = bridge.Graph(), torch.tensor(x, dtype=torch.float64)
    leaf = g.tensor("x", x)
    nodes = [g.formula(formula)]
    while len(nodes) < orders: nodes += g.grad(g.sum(nodes[-1]), [leaf])
    return g.run(nodes, {"x": x})


def numbers(t):
    t = t.double().reshape(-1).tolist()
    return ", ".join(f"{v:.12g}" for v in t)


def points(differences):
    """Rows of the two tables, what is listed without a reason, and the lines to be replayed."""
    rows, refused, stale, kept = [], [], [], ""
    for formula, f, x, why in differences.POINTS:
        theirs = by_torch(f, x)
        ours = by_chainrule(formula, x, max(2, len(theirs)))
        orders = [k for k, (a, b) in enumerate(zip(ours, theirs)) if not torch.allclose(a.double(), b.double(), rtol=1e-11, atol=1e-12, equal_nan=True)]
        if not orders: stale.append(f"listed, but does not differ: {formula} at {x}")
        kept += f"point {formula}\nx {' '.join(f'{v:.17g}' for v in x)}\n" + "".join(f"order {k} {' '.join(f'{v:.13g}' for v in ours[k].double().reshape(-1).tolist())}\n" for k in orders)
        for k in orders[:1]: rows.append(f"| `{formula}` | {', '.join(f'{v:g}' for v in x)} | {('value', 'first', 'second')[k]} | {numbers(ours[k])} | {numbers(theirs[k])} | {why} |")
    for formula, f, x, sentence in differences.REFUSED:
        theirs = f(torch.tensor(x, dtype=torch.float64, requires_grad=True))
        try: by_chainrule(formula, x, 1)
        except bridge.Error as error:
            if sentence not in str(error): stale.append(f"{formula}: expected '{sentence}', found '{error}'")
        else: stale.append(f"listed as refused, but is not: {formula}")
        kept += f"refused {formula}\nx {' '.join(f'{v:.17g}' for v in x)}\nsentence {sentence}\n"
        refused.append(f"| `{formula}` | {numbers(theirs)} | {sentence} |")
    return rows, refused, stale, kept


def without(tally):
    reasons = collections.defaultdict(list)
    for (name, why), count in tally.without.items(): reasons[why].append((name, count))
    return [f"| {why.replace('|', '/')} | {sum(c for _, c in ops)} | {', '.join(sorted(n.replace('|', ' ') for n, _ in ops))} |" for why, ops in sorted(reasons.items())]


def without_figures(page):
    """The rounding errors of another processor are others."""
    return re.sub(r"<!-- (figures|graphs) -->.*?<!-- end -->", "", page, flags=re.S)


def update(write, tally, point_rows, refused, graph_lines, bounds):
    """Puts the tables into the page between their marks, or tells where the page says something else."""
    text = open(PAGE).read()
    figures = [f"{tally.samples} samples of {len(tally.ops)} ops of PyTorch {torch.__version__.split('+')[0]} agree, and {tally.own} of ours; {sum(tally.different.values())} differ by a listed convention, "
               f"{sum(tally.without.values())} have no formula.", "", "| | worst relative error | at most | at |", "|---|---|---|---|",
               *[f"| {k} | {e:.0e} | {bounds[k]:.0e} | `{name.replace('|', ' ')}` |" for k, (e, name) in tally.worst.items()]]
    new = text
    tables = {"figures": figures, "graphs": graph_lines, "samples": [f"| `{n.replace('|', ' ')}` | {', '.join(kinds)} | {tally.different[n]} | {why} |" for n, (kinds, why) in SAMPLES.items()],
              "points": point_rows, "refused": refused, "without": without(tally)}
    for mark, lines in tables.items():
        head = r"(?:\|[^\n]*\n\|[-|]+\n)?" if mark not in ("figures", "graphs") else ""
        new = re.sub(rf"(<!-- {mark} -->\n{head}).*?(<!-- end -->)", lambda m: m[1] + "\n".join(lines) + "\n" + m[2], new, count=1, flags=re.S)
    if write: open(PAGE, "w").write(new)
    elif without_figures(new) != without_figures(text): return ["docs/peers.md says something else than was found now: check.py --write makes it anew"]
    return []

#!/usr/bin/env python3
"""Compares Chainrule with PyTorch, op by op, on the samples that PyTorch tests itself with (OpInfo), and on random graphs.

    CHAINRULE_LIBRARY=.../libchainrule.so check.py [--write] [--graphs N] [OP ...]

--write makes docs/peers.md's tables and tests/data/peers.txt, which `make check` replays without PyTorch, anew. `make check-peers` runs
this in an environment with PyTorch (bench/peers/setup.sh)."""
import argparse
import collections
import os
import sys
import warnings

if os.environ.get("PYTHONHASHSEED") != "0":  # PyTorch takes some samples from sets of words: the same order in each run
    os.execve(sys.executable, [sys.executable, *sys.argv], dict(os.environ, PYTHONHASHSEED="0"))
warnings.filterwarnings("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import torch  # noqa: E402
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

import differences  # noqa: E402
import document  # noqa: E402
import graphs  # noqa: E402
import own  # noqa: E402
import replay  # noqa: E402
from rows import algebra, element, network, reduce, view  # noqa: E402, F401
from sample import KINDS, by_chainrule, by_torch, errors, samples  # noqa: E402
from table import ROWS  # noqa: E402

BOUNDS = {"values": 1e-12, "vjp": 1e-10, "jvp": 1e-10, "hvp": 1e-8}  # relative to the largest number of the sample
MOST = 100  # samples of one op
FEWEST_SAMPLES, FEWEST_OPS = 2000, 150


class Tally:
    def __init__(self):
        self.samples, self.own, self.ops, self.worst = 0, 0, set(), {k: (0.0, "") for k in KINDS}
        self.without, self.wrong, self.different = collections.Counter(), [], collections.Counter()

    def count(self, sample, found):
        allowed = differences.SAMPLES.get(sample.name, ((), ""))[0]
        over = {k for k in KINDS if found[k] > BOUNDS[k]}
        if over and over <= set(allowed): self.different[sample.name] += 1
        elif over: self.wrong.append(f"{sample.name} {sample.number}: {sample.formulas}, {[tuple(t.shape) for t in sample.data.values()]}: " +
                                     ", ".join(f"{k} off by {found[k]:.2g}" for k in KINDS if k in over))
        else:
            if sample.name.startswith("ours: "): self.own += 1
            else:
                self.samples += 1
                self.ops.add(sample.name)
            for k in KINDS: self.worst[k] = max(self.worst[k], (found[k], sample.name))
        return not over


def each_sample(names, tally):
    """Every sample that both sides can compute: (sample, expected)."""
    known = {name: op for name, (op, _) in own.rows().items()}
    for op in op_db: known.setdefault(op.name + ("|" + op.variant_test_name if op.variant_test_name else ""), op)
    for name in names:
        generator = torch.Generator().manual_seed(1)
        for s in samples(known[name], name, MOST):
            if isinstance(s, tuple):
                tally.without[name, s[1]] += 1
                continue
            try: yield s, by_torch(s, generator)
            except (RuntimeError, TypeError) as why: tally.without[name, f"PyTorch: {str(why).splitlines()[0][:90]}"] += 1


def check_samples(names):
    tally, kept = Tally(), replay.Writer()
    for s, expected in each_sample(names, tally):
        try: found = errors(s, expected, by_chainrule(s, expected))
        except Exception as why: tally.wrong.append(f"{s.name} {s.number}: {s.formulas}, {[tuple(t.shape) for t in s.data.values()]}: {why}")
        else:
            if tally.count(s, found): kept.offer(s, expected)
    return tally, kept


def report(tally):
    print(f"PyTorch {torch.__version__}: {tally.samples} samples of {len(tally.ops)} of its ops agree, and {tally.own} of ours")
    for kind, bound in BOUNDS.items(): print(f"  {kind:6} worst {tally.worst[kind][0]:.1e} (at most {bound:.0e}) at {tally.worst[kind][1]}")
    print(f"  {sum(tally.different.values())} samples differ by a convention that is listed, {sum(tally.without.values())} have no formula: docs/peers.md")
    for w in tally.wrong: print("  WRONG:", w)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--graphs", type=int, default=2000)
    arguments.add_argument("ops", nargs="*")
    a = arguments.parse_args()
    torch.set_num_threads(1)
    failures = []
    ROWS.update({name: row for name, (_, row) in own.rows().items()})
    tally, kept = check_samples([n for n in ROWS if not a.ops or n in a.ops])
    report(tally)
    failures += tally.wrong
    wrong, graph_lines = graphs.check(a.graphs)
    print(*graph_lines, sep="\n")
    failures += wrong
    if not a.ops:
        if tally.samples < FEWEST_SAMPLES or len(tally.ops) < FEWEST_OPS: failures.append(f"fewer than {FEWEST_SAMPLES} samples or {FEWEST_OPS} ops")
        failures += [f"listed, but no sample differs: {n}" for n in differences.SAMPLES if n not in tally.different]
        points, refused, stale, lines = document.points(differences)
        failures += stale
        failures += document.update(a.write, tally, points, refused, graph_lines, BOUNDS)
        failures += kept.update(a.write, lines)
    for f in failures: print("FAILED:", f)
    print(f"{len(failures)} failures")
    return bool(failures)


if __name__ == "__main__": sys.exit(main())

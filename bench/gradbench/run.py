#!/usr/bin/env python3
"""GradBench's evals on Chainrule, beside its other tools.

    bench/gradbench/run.py accept  --adapter BUILD/gradbench_chainrule --gradbench DIR [--compile cc] [--beside manual codipack ..] [EVAL ..]
    bench/gradbench/run.py compare --adapter BUILD/gradbench_chainrule [--compile cc] [EVAL ..]

accept   GradBench's own eval programs judge every answer, at their default sizes. Each message goes to the adapter, and then to the tools
         beside it, so that all run in the same minute; the table has how long a call took (the median of a message's), without and
         with building, differentiating and compiling, and the ratios to the faster way. DIR is a checkout of github.com/gradbench/gradbench,
         where its tools are built by its own Makefiles; one that is not is "not measured". Empty: the tool has no such eval.
compare  Their verdicts are weak: some evals take a nan, or a gradient of zeros, for right. So every entry of what the adapter answers is
         compared with reference.py, which knows nothing of Chainrule, at sizes where each entry counts: the
         largest distance over the largest entry is at most 1e-10.

Needs numpy, scipy, pydantic and dataclasses-json (accept), and PyTorch (compare): bench/gradbench/run.sh installs them. Ends with 1
if anything was not accepted, or differed.
"""
import argparse
import json
import math
import os
import statistics
import sys
import tempfile

from tools import Process, Tool, processor_time, python_path

EVALS = ["hello", "ode", "det", "gmm", "kmeans", "ba", "ht", "lstm", "lse", "llsq", "particle", "saddle"]
TOLERANCE = 1e-10


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size: return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def time_of(answer, names, statistic):
    """The sum over the names of this statistic; None if the tool told none of them."""
    times = [[t["nanoseconds"] for t in answer.get("timings", []) if t["name"] == n] for n in names]
    return sum(statistic(t) for t in times if t) if any(times) else None


# ---- Judged by GradBench ----

# Of some evals, sizes from small to large instead of all.
BRIEF = {"ode": ["-n", "1000", "100000", "-s", "1", "100"], "det": ["-l", "5", "7", "9"],
         "gmm": ["-d", "2", "10", "64", "-k", "5", "25", "100"], "ba": ["--max", "3"], "ht": ["--max", "9"],
         "lstm": ["-l", "2", "6", "-c", "1024", "4096"], "lse": ["-n", "2500", "40000", "640000"],
         "llsq": ["-n", "16", "128", "1024", "8196"]}


def eval_arguments(name, options):
    """What is not there of an eval's data is not asked for."""
    arguments = [] if name == "hello" else ["--min-seconds", str(options.seconds)]
    if options.brief: arguments += BRIEF.get(name, [])
    elif name == "ht":
        data = os.path.join(options.gradbench, "evals/ht/data/complicated_big")
        sizes = [int(f[4:].split("_")[0]) for f in os.listdir(data) if f.startswith("hand")]
        arguments += ["--max", str(max(sizes))]
    return arguments


def judge(name, options, environment):
    """The rows of an eval: for each message the answers, Chainrule's first, and the verdict on that."""
    program = Process([sys.executable, os.path.join(python_path(options.gradbench), "gradbench/evals", name, "run.py"),
                       *eval_arguments(name, options)], cwd=options.gradbench,
                      env=os.environ | {"PYTHONPATH": python_path(options.gradbench)})
    ways = [Process([options.adapter, *way], env=os.environ | environment) for way in [[]] + [[c] for c in options.compile]]
    beside = [Tool(t, options.gradbench, options.limit, environment) for t in options.beside]
    rows = []
    while (message := program.read()) is not None:
        answers = [w.ask(message) for w in ways]
        if message["kind"] == "evaluate":
            rows.append({"name": f"{message['module']} {message['function']} {message.get('description', '')}", "id": message["id"],
                         "answers": answers, "beside": [t.ask(message) for t in beside], "valid": None, "error": answers[0].get("error")})
        if message["kind"] == "analysis":
            row = next(r for r in rows if r["id"] == message["of"])
            row["valid"], row["error"] = message["valid"], message.get("error")
        program.write(answers[-1])
    for p in (program, *ways, *beside): p.close()
    return rows


def cells_of(row, options):
    """How long each took, and how many times as long as Chainrule's faster way: manual, and the fastest of the others."""
    statistic = min if options.fastest else statistics.median
    ours = [time_of(a, ["evaluate"], statistic) for a in row["answers"]]
    whole = [time_of(a, ["build", "compile", "ready", "evaluate"], statistic) for a in row["answers"]]
    theirs = [a if isinstance(a, str) else time_of(a, ["evaluate"], statistic) or "fails" for a in row["beside"]]
    best = min((t for t in ours if t), default=None)
    manual = [t for name, t in zip(options.beside, theirs) if name == "manual" and not isinstance(t, str)]
    tools = [t for name, t in zip(options.beside, theirs) if name != "manual" and not isinstance(t, str)]
    ratios = [f"{min(t)/best:.3g}" if t and best else "" for t in (manual, tools)]
    times = [t for pair in zip(ours, whole) for t in pair] + theirs
    return [t if isinstance(t, str) else duration(t) if t else "" for t in times] + ratios


def accept(options):
    accepted = 0
    heads = [h for way in ["built in", "compiled"][:1 + len(options.compile)] for h in (way, "with building")]
    heads = ["eval", "accepted", *heads, *options.beside, "manual / ours", "best tool / ours"]
    print("| " + " | ".join(heads) + " |\n|---|---|" + "---:|"*(len(heads) - 2))
    with tempfile.TemporaryDirectory() as folder:
        environment = processor_time(folder) if options.processor_time else {}
        for name in options.evals:
            rows = judge(name, options, environment)
            for r in rows:
                print(f"| {r['name']} | {'yes' if r['valid'] else 'NO'} | {' | '.join(cells_of(r, options))} |", flush=True)
                if not r["valid"]: print(f"\n{r['error']}\n")
            accepted += bool(rows) and all(r["valid"] for r in rows)
    print(f"\n{accepted} of {len(options.evals)} evals accepted")
    return accepted == len(options.evals)


# ---- Compared entry by entry ----

def flat(answer):
    """All numbers of an answer, keys in order."""
    if isinstance(answer, dict): return [x for k in sorted(answer) for x in flat(answer[k])]
    if isinstance(answer, list): return [x for a in answer for x in flat(a)]
    return [float(answer)]


def distance(found, expected):
    """The largest distance over the largest entry, of an object for each of its parts; infinite for a nan, for another shape, and where there is
    nothing but zeros to find."""
    if isinstance(expected, dict): return max(distance(found.get(k, []), expected[k]) for k in expected)
    a, b = flat(found), flat(expected)
    largest = max(map(abs, b), default=0)
    if len(a) != len(b) or largest == 0 or not all(map(math.isfinite, a)): return float("inf")
    return max(abs(x - y) for x, y in zip(a, b)) / largest


def compare(options):
    import reference
    adapter, right = Process([options.adapter, *options.compile]), True
    for name, description, problem, outputs in reference.cases(options.evals):
        for function, expected in outputs.items():
            answer = adapter.ask({"id": 0, "kind": "evaluate", "module": name, "function": function, "input": problem})
            far = distance(answer["output"], expected) if answer["success"] else float("inf")
            right = right and far <= TOLERANCE
            print(f"{'agrees' if far <= TOLERANCE else 'DIFFERS'} {far:7.1e}  {len(flat(expected)):6} entries  {name} {function} {description}"
                  + (f"\n    {answer['error']}" if "error" in answer else ""), flush=True)
    adapter.close()
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["accept", "compare"])
    parser.add_argument("evals", nargs="*")
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--compile", nargs=1, default=[], help="a C compiler, to have loops compiled too: cc")
    parser.add_argument("--gradbench", help="a checkout of GradBench")
    parser.add_argument("--beside", nargs="*", default=[], help="its tools, manual among them")
    parser.add_argument("--seconds", type=float, default=0.2, help="that each function is run for, at least")
    parser.add_argument("--limit", type=float, default=60, help="seconds that a tool has for a message")
    parser.add_argument("--brief", action="store_true", help="some of the sizes")
    parser.add_argument("--fastest", action="store_true", help="the fastest of a message's calls instead of the median")
    parser.add_argument("--processor-time", action="store_true", help="where other programs run: processor time instead of the clock's")
    options = parser.parse_intermixed_args()
    options.evals = options.evals or EVALS
    options.adapter = os.path.abspath(options.adapter)
    if options.gradbench: options.gradbench = os.path.abspath(options.gradbench)
    return 0 if {"accept": accept, "compare": compare}[options.verb](options) else 1


if __name__ == "__main__":
    sys.exit(main())

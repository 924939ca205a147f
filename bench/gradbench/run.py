#!/usr/bin/env python3
"""GradBench's evals on Chainrule, beside another of its tools.

    bench/gradbench/run.py accept  --adapter BUILD/gradbench_chainrule --gradbench DIR [--beside manual] [EVAL ..]
    bench/gradbench/run.py compare --adapter BUILD/gradbench_chainrule [EVAL ..]

accept   GradBench's own eval programs judge every answer, at their default sizes. Each message goes to the adapter, and then to the tool
         beside it, so that both run in the same minute; the table has how long a call took (the median of a message's),
         what building and compiling took before, and the ratio. DIR is a checkout of github.com/gradbench/gradbench, with
         cpp/json.hpp (`make -C cpp`, or Debian's nlohmann-json3-dev) and `make -C tools/manual` done.
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
import subprocess
import sys

EVALS = ["hello", "ode", "det", "gmm", "kmeans", "ba", "ht", "lstm", "lse", "llsq", "particle", "saddle"]
TOLERANCE = 1e-10


class Process:
    """A program that reads and writes a line of JSON each."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def write(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, message):
        self.write(message)
        return self.read() or {"id": message["id"], "success": False, "error": "the tool ended"}

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size: return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def time_of(answer, names):
    """The sum over the names of the median; None if the tool told none of them."""
    times = [[t["nanoseconds"] for t in answer.get("timings", []) if t["name"] == n] for n in names]
    return sum(statistics.median(t) for t in times if t) if any(times) else None


# ---- Judged by GradBench ----

def eval_arguments(name, folder, seconds):
    """What is not there of an eval's data is not asked for."""
    arguments = [] if name == "hello" else ["--min-seconds", str(seconds)]
    if name == "ht":
        data = os.path.join(folder, "evals/ht/data/complicated_big")
        sizes = [int(f[4:].split("_")[0]) for f in os.listdir(data) if f.startswith("hand")]
        arguments += ["--max", str(max(sizes))]
    return arguments


def row_of(message, answer, beside):
    ours, theirs = time_of(answer, ["evaluate"]), time_of(beside, ["evaluate"])
    return {"name": f"{message['module']} {message['function']} {message.get('description', '')}", "id": message["id"],
            "ours": ours, "before": time_of(answer, ["build", "compile"]), "theirs": theirs,
            "ratio": theirs / ours if ours and theirs else None, "error": answer.get("error"), "valid": None}


def judge(name, options):
    """The rows of an eval."""
    environment = dict(os.environ, PYTHONPATH=os.path.join(options.gradbench, "python/gradbench"))
    package = os.path.join(options.gradbench, "python/gradbench/gradbench")
    program = Process([sys.executable, os.path.join(package, "evals", name, "run.py"),
                       *eval_arguments(name, options.gradbench, options.seconds)], cwd=options.gradbench, env=environment)
    adapter = Process([options.adapter, *options.compile])
    built = options.beside and os.path.exists(os.path.join(options.gradbench, "tools", options.beside, "bin", name))
    beside = built and Process([sys.executable, os.path.join(package, "cpp.py"), options.beside],
                                        cwd=options.gradbench, env=environment)
    rows = []
    while (message := program.read()) is not None:
        answer = adapter.ask(message)
        if message["kind"] == "evaluate":
            rows.append(row_of(message, answer, beside.ask(message) if beside else {}))
        if message["kind"] == "analysis":
            row = next(r for r in rows if r["id"] == message["of"])
            row["valid"], row["error"] = message["valid"], message.get("error")
        program.write(answer)
    for p in (program, adapter, beside): p and p.close()
    return rows


def accept(options):
    accepted = 0
    print("| eval | accepted | a call | before | beside | ratio |\n|---|---|---:|---:|---:|---:|")
    for name in options.evals:
        rows = judge(name, options)
        for r in rows:
            times = [duration(r[k]) if r[k] else "" for k in ("ours", "before", "theirs")]
            print(f"| {r['name']} | {'yes' if r['valid'] else 'NO'} | {' | '.join(times)} | {r['ratio'] or 0:.3g} |", flush=True)
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
    parser.add_argument("--compile", nargs=1, default=[], help="a C compiler for loops: cc")
    parser.add_argument("--gradbench", help="a checkout of GradBench")
    parser.add_argument("--beside", help="one of its C++ tools")
    parser.add_argument("--seconds", type=float, default=0.2, help="that each function is run for, at least")
    options = parser.parse_intermixed_args()
    options.evals = options.evals or EVALS
    options.adapter = os.path.abspath(options.adapter)
    return 0 if {"accept": accept, "compare": compare}[options.verb](options) else 1


if __name__ == "__main__":
    sys.exit(main())

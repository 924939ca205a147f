#!/usr/bin/env python3
"""GradBench's evals on Chainrule, beside others of its tools.

    bench/gradbench/run.py accept  --adapter BUILD/gradbench_chainrule --gradbench DIR [--beside manual ..] [EVAL ..]
    bench/gradbench/run.py compare --adapter BUILD/gradbench_chainrule [EVAL ..]

accept   GradBench's own eval programs judge every answer, at their default sizes. Each message goes to the adapter, and then to the tools
         beside it, so that all run in the same minute; the table has how long a call took (the median of a message's),
         what building and compiling took before, and what the others took, over what the adapter did in brackets. DIR is a checkout of
         github.com/gradbench/gradbench. A tool in C++ is there where it is built (tools/NAME/bin; it wants cpp/json.hpp: `make -C cpp`, or Debian's
         nlohmann-json3-dev), one in Python where its library is installed. What a tool can't answer, or not within --patience, stands as
         "not measured", and why below.
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
import select
import signal
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

    def ask(self, message, seconds=None):
        """The answer. A tool that ended, or takes longer than that, is over."""
        self.write(message)
        if not select.select([self.process.stdout], [], [], seconds)[0]: return self.end(f"no answer within {seconds} s")
        return self.read() or self.end("the tool ended")

    def end(self, why):
        os.killpg(self.process.pid, signal.SIGKILL) # what it started too
        return {"success": False, "error": why, "over": True}

    def close(self):
        try: self.process.stdin.close()
        except BrokenPipeError: pass
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


class Beside:
    """Another tool of GradBench's at one eval."""

    def __init__(self, name, eval_name, options, environment):
        self.process, self.why, self.seconds = None, "not built", options.patience
        package = os.path.join(options.gradbench, "python/gradbench/gradbench")
        python = os.path.join(package, "tools", name)
        if os.path.exists(os.path.join(options.gradbench, "tools", name, "bin", eval_name)): command = [os.path.join(package, "cpp.py"), name]
        elif os.path.exists(os.path.join(python, f"{eval_name}.py")): command = [os.path.join(python, "run.py")]
        else: return
        self.process = Process([sys.executable, *command], cwd=options.gradbench, env=environment, start_new_session=True)

    def time(self, message):
        """Nanoseconds of a call; None where it gives none: then `why` tells."""
        if not self.process: return None
        answer = self.process.ask(message, self.seconds)
        found = time_of(answer, ["evaluate"]) if answer.get("success") else None
        if found is None: self.why = (answer.get("error") or "no time told").strip().splitlines()[-1][:120]
        if answer.get("over"): self.process = None
        return found

    def close(self):
        if self.process: self.process.close()


def row_of(message, answer, beside):
    ours, theirs = time_of(answer, ["evaluate"]), {name: tool.time(message) for name, tool in beside.items()}
    return {"name": f"{message['module']} {message['function']} {message.get('description', '')}", "id": message["id"],
            "ours": ours, "before": time_of(answer, ["build", "compile"]), "theirs": theirs,
            "error": answer.get("error"), "valid": None}


def judge(name, options):
    """The rows of an eval, and why tools are not measured there."""
    package = os.path.join(options.gradbench, "python/gradbench")
    environment = dict(os.environ, PYTHONPATH=package)
    program = Process([sys.executable, os.path.join(package, "gradbench/evals", name, "run.py"),
                       *eval_arguments(name, options.gradbench, options.seconds)], cwd=options.gradbench, env=environment)
    adapter = Process([options.adapter, *options.compile])
    beside = {tool: Beside(tool, name, options, environment) for tool in options.beside}
    rows = []
    while (message := program.read()) is not None:
        answer = {"id": message["id"], **adapter.ask(message)}
        if message["kind"] == "evaluate": rows.append(row_of(message, answer, beside))
        if message["kind"] == "analysis":
            row = next(r for r in rows if r["id"] == message["of"])
            row["valid"], row["error"] = message["valid"], message.get("error")
        program.write(answer)
    for p in (program, adapter, *beside.values()): p.close()
    absent = [f"{tool} at {name}: {side.why}" for tool, side in beside.items() if any(r["theirs"][tool] is None for r in rows)]
    return rows, absent


def cell(theirs, ours):
    return f"{duration(theirs)} ({theirs / ours:.3g})" if theirs and ours else "not measured"


def accept(options):
    accepted, absent = 0, []
    print("| eval | accepted | a call | before |" + "".join(f" {tool} |" for tool in options.beside))
    print("|---|---|---:|---:|" + "---:|" * len(options.beside))
    for name in options.evals:
        rows, why = judge(name, options)
        absent += why
        for r in rows:
            times = [duration(r[k]) if r[k] else "" for k in ("ours", "before")] + [cell(t, r["ours"]) for t in r["theirs"].values()]
            print(f"| {r['name']} | {'yes' if r['valid'] else 'NO'} | {' | '.join(times)} |", flush=True)
            if not r["valid"]: print(f"\n{r['error']}\n")
        accepted += bool(rows) and all(r["valid"] for r in rows)
    print("\n" + "".join(f"{line}.\n" for line in absent) + f"\n{accepted} of {len(options.evals)} evals accepted")
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
    parser.add_argument("--beside", action="append", default=[], help="one of its tools; may be given again")
    parser.add_argument("--patience", type=float, default=60, help="seconds that a tool beside may take for a message")
    parser.add_argument("--seconds", type=float, default=0.2, help="that each function is run for, at least")
    options = parser.parse_intermixed_args()
    options.evals = options.evals or EVALS
    options.adapter = os.path.abspath(options.adapter)
    if options.gradbench: options.gradbench = os.path.abspath(options.gradbench)
    return 0 if {"accept": accept, "compare": compare}[options.verb](options) else 1


if __name__ == "__main__":
    sys.exit(main())

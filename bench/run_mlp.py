#!/usr/bin/env python3
"""Measures a training step of the MLP 784-512-256-10, and the worked example, beside each other in one run.

    bench/run_mlp.py [--build build/bench] [--peers build/peers] [--chainrule PROGRAM] [--worked PROGRAM]
                     [--rounds 15] [--steps 30] [--batches 128,1] [--threads 1,2]

The sides, each a process that stays; one that is not there is printed as "not measured":

    C reference    BUILD/mlp_reference FOLDER BATCH THREADS    BUILD/worked_reference
    PyTorch        bench/peers/mlp_torch.py, run by PEERS/bin/python (bench/peers/setup.sh makes it)
    Chainrule      PROGRAM FOLDER BATCH THREADS, BUILD/mlp_chainrule if none is named; worked: BUILD/worked_chainrule

The line protocol: a side prints one line of JSON when it is ready, and one for each command it reads.

    (at the start)  {"ready": "its name"}
    losses N        {"losses": [2.34567, ..]}   N steps from the initial state; what each gave
    run N           {"ns": 3280000.0}           N steps from the initial state; the median time of a step
    quit            the end; so is the end of input
    anything else   {"error": "why"}

bench/common/protocol.c implements it for programs in C. FOLDER holds what all start from (bench/common/mlp_data.h).

A side whose first 20 losses are not the reference's to 1e-4 is not timed, and the run fails. The others then take turns,
ROUNDS times, STEPS steps each. Every round gives a ratio to the reference, and the median of those is printed: on a
machine that others use too, neighbours in time share its mood, medians of different minutes do not. The middle column
of times is the median of the rounds, and best the fastest round.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

CHECKED, TOLERANCE = 20, 1e-4
HERE = os.path.dirname(os.path.abspath(__file__))


class Side:
    """A process that answers the line protocol; absent when it does not start."""

    def __init__(self, label, command):
        self.label, self.process, self.ns = label, None, []
        if not os.access(command[0], os.X_OK):
            self.why = f"{os.path.relpath(command[0])} is not there"
            return
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        ready = self.answer()
        self.why = None
        if ready is None: self.drop("it did not start")
        else: self.label = f"{label} ({ready['ready']})"

    def answer(self):
        """The next JSON line; None when the process is gone. What else it prints is passed over."""
        for line in self.process.stdout:
            if line.startswith("{"): return json.loads(line)
        return None

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {}
        return self.answer() or {}

    def drop(self, why):
        self.close()
        self.why = why

    def close(self):
        if not self.process: return
        try: _, said = self.process.communicate()
        except (BrokenPipeError, ValueError): said = ""
        self.process = None
        if said and self.why is None and "rror" in said: sys.stderr.write(said)


def agree(side, losses):
    found = side.ask(f"losses {CHECKED}").get("losses", [])
    for i, (a, b) in enumerate(zip(losses, found)):
        if not abs(a - b) <= TOLERANCE * abs(a): return f"its loss {i} is {b:.7g}, the reference's {a:.7g}"
    return None if len(found) == CHECKED else "it gave no losses"


def check(sides):
    """Drops what computes something else. Gives the number of those."""
    wrong = 0
    if not sides[0].process: return 0
    losses = sides[0].ask(f"losses {CHECKED}").get("losses", [])
    for side in sides[1:]:
        why = agree(side, losses) if side.process else None
        if why:
            side.drop(why)
            wrong += 1
    return wrong


def take_turns(sides, rounds, steps):
    for _ in range(rounds):
        for side in sides:
            if not side.process: continue
            ns = side.ask(f"run {steps}").get("ns")
            if ns is None: side.drop("it stopped answering")
            else: side.ns.append(ns)


def duration(ns):
    for unit, size in (("ms", 1e6), ("us", 1e3)):
        if ns >= size: return f"{ns / size:.4g} {unit}"
    return f"{ns:.3g} ns"


def table(title, sides):
    print(f"\n{title}\n{'':48}{'median':>11}{'best':>11}{'ratio':>8}")
    reference = sides[0].ns if sides[0].process else []
    for side in sides:
        if not side.process:
            print(f"  {side.label:46} not measured: {side.why}")
            continue
        ratios = [a / b for a, b in zip(side.ns, reference)]
        ratio = f"{statistics.median(ratios):8.3g}" if ratios else f"{'-':>8}"
        print(f"  {side.label:46}{duration(statistics.median(side.ns)):>11}{duration(min(side.ns)):>11}{ratio}", flush=True)


def compare(title, sides, rounds, steps):
    wrong = check(sides)
    take_turns(sides, rounds, steps)
    table(title, sides)
    for side in sides: side.close()
    return wrong


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build/bench")
    p.add_argument("--peers", default="build/peers")
    p.add_argument("--chainrule")
    p.add_argument("--worked")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--steps", type=int, default=30)
    p.add_argument("--batches", default="128,1")
    p.add_argument("--threads", default="1,2")
    return p.parse_args()


def main():
    o = options()
    python, peer = os.path.join(o.peers, "bin", "python"), os.path.join(HERE, "peers", "mlp_torch.py")
    reference = os.path.join(o.build, "mlp_reference")
    chainrule = o.chainrule or os.path.join(o.build, "mlp_chainrule")
    worked = [("C reference", [os.path.join(o.build, "worked_reference")]),
              ("PyTorch", [python, peer, "worked", "1"]),
              ("Chainrule", [o.worked or os.path.join(o.build, "worked_chainrule")])]
    wrong = compare("worked example, value and gradient", [Side(*s) for s in worked], o.rounds, 10)
    for batch in o.batches.split(","):
        with tempfile.TemporaryDirectory() as folder:
            if not os.access(reference, os.X_OK): sys.exit(f"{reference} is not there: build the benchmarks first")
            subprocess.run([reference, "make", folder, batch], check=True)
            for threads in o.threads.split(","):
                of = [folder, batch, threads]
                sides = [Side("C reference", [reference, *of])]
                sides += [Side("PyTorch", [python, peer, mode, *of]) for mode in ("eager", "eager-foreach", "compile")]
                sides += [Side("Chainrule", [chainrule, *of])]
                wrong += compare(f"MLP 784-512-256-10, Adam, batch {batch}, {threads} thread{'s' * (threads != '1')}",
                                 sides, o.rounds, o.steps)
    sys.exit(1 if wrong else 0)


main()

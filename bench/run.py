#!/usr/bin/env python3
"""Measures the product beside its peers in one run: first that they compute the same, then in turns.

    bench/run.py --build BUILD [--peers FOLDER] [--built-peers FOLDER] [--report FILE] [--only WORD] [--rounds 15] [--steps 20]

The sides are processes that stay; one that is not there, or does not start, stands as "not measured":

    C            BUILD/NAME_reference    the same by hand
    PyTorch      bench/peers/torch_side.py, run by FOLDER/bin/python (bench/peers/setup.sh makes it)
    JAX, CasADi  bench/peers/jax_side.py, casadi_side.py, likewise
    processes    BUILD/process           a command as a whole, from its start to its end
    floor        BUILD/floor             the least that the bytes to be moved, or the operations, can take on this machine;
                 BUILD/worked_floor      the loads and stores of the worked example
    others       --built-peers FOLDER (`make bench PEERS=FOLDER`): programs that someone built there, each called
                 PEER_QUESTION (kann_mlp, llmc_layer) and given the words that the Chainrule side of the question gets; and
                 FOLDER/gradbench, a checkout of GradBench with the tools that are built in it (bench/gradbench/run.py)
    Chainrule    BUILD/NAME_chainrule

The line protocol: a side prints one line of JSON when it is ready, and one for each command it reads.

    (at the start)  {"ready": "its name", "note": "what is to be known of it"}
    losses N        {"losses": [2.34567, ..]}   N steps from the initial state; what each gave
    run N           {"ns": 3280000.0}           N steps from the initial state; the median time of a step
    memory N        {"bytes": 14680064}         N steps from the initial state; the most memory the process had (resident), above
                                                what it held with its libraries loaded, before it had data
    quit            the end; so is the end of input
    anything else   {"error": "why"}

bench/common/protocol.c implements it for programs in C. The MLP's sides start from the files of bench/common/mlp_data.h.

A side whose first 20 losses are not those of the first side to 1e-4 (and 1e-6 of the greatest of them: of a small difference
few digits are left) is not timed, and the run fails. The others then take
turns, ROUNDS times, STEPS steps each. Every round gives a ratio to the first side, and the median of those is printed: on
a machine that others use too, neighbours in time share its mood, medians of different minutes do not.
"""
import argparse
import collections
import glob
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

CHECKED, TOLERANCE, CANCELLED = 20, 1e-4, 1e-6
HERE = os.path.dirname(os.path.abspath(__file__))


def widest():
    """The widest vectors of this processor: avx512f, avx2, or ""."""
    flags = (field("/proc/cpuinfo", "flags") or "").split()
    return next((name for name in ("avx512f", "avx2") if name in flags), "")


def environment():
    """OpenBLAS takes its oldest kernels for a processor that it does not know by name, whatever that can do."""
    return {**({"OPENBLAS_CORETYPE": "SkylakeX"} if widest() == "avx512f" else {}), **os.environ}


class Side:
    """A process that answers the line protocol; absent when it does not start."""

    def __init__(self, label, *command, role="peer", threads=1, needs=None):
        self.role, self.threads = role, int(threads) # "reference" (C by hand), "peer", "own", or "floor", which computes nothing
        self.label, self.process, self.why, self.found, program = label, None, None, [], needs or command[0]
        if not os.access(program, os.X_OK):
            self.why = "not installed" if "python" in program else "not built" if program else "not found: PEERS=FOLDER names where it is built"
            return
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, text=True,
                                        env=environment())
        ready = self.answer()
        if ready is None: return self.drop("did not start")
        self.label = ready["ready"] + (f" ({ready['note']})" if ready.get("note") else "")

    def answer(self):
        """The next JSON line; None when the process is gone, in the middle of a line too, or says what is no JSON: nan. What else it prints is passed over."""
        for line in self.process.stdout:
            if not line.startswith("{"): continue
            try: return json.loads(line)
            except ValueError: return None
        return None

    def ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {}
        return self.answer() or {}

    def drop(self, why):
        """Takes no further part; the last line it said on standard error tells more."""
        self.close()
        self.said.seek(0)
        last = self.said.read().decode(errors="replace").strip().splitlines()[-1:]
        self.why = ": ".join([why, *last])

    def close(self):
        if not self.process: return
        try: self.process.communicate(timeout=60)
        except (BrokenPipeError, ValueError): self.process.wait()
        except subprocess.TimeoutExpired: self.process.kill()
        self.process = None


# ---- One question ----

def agree(side, losses):
    found = side.ask(f"losses {CHECKED}").get("losses", [])
    rounding = CANCELLED * max(map(abs, losses), default=0)
    for i, (a, b) in enumerate(zip(losses, found)):
        if not abs(a - b) <= TOLERANCE * abs(a) + rounding: return f"wrong: its loss {i} is {b:.7g}, expected {a:.7g}"
    return None if len(found) == CHECKED else "gave no losses"


def check(sides):
    """Drops what computes something else. Gives the number of those."""
    wrong, present = 0, [s for s in sides if s.process and s.role != "floor"]
    losses = present[0].ask(f"losses {CHECKED}").get("losses", []) if present else []
    for side in present[1:]:
        why = agree(side, losses)
        if why:
            side.drop(why)
            wrong += 1
    return wrong


def take_turns(sides, verb, rounds, steps):
    for _ in range(rounds):
        for side in sides:
            if not side.process: continue
            found = side.ask(f"{verb} {steps}").get(VERBS[verb])
            if found is None: side.drop("does not tell")
            else: side.found.append(found)


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size: return f"{ns / size:.4g} {unit}"
    return f"{ns:.3g} ns"


def mebibytes(found): return f"{max(found) / 2**20:.1f} MiB"


VERBS = {"run": "ns", "memory": "bytes"} # what is asked, and how the answer is called
COLUMNS = {"run": {"median": lambda ns: duration(statistics.median(ns)), "fastest": lambda ns: duration(min(ns))},
           "memory": {"above idle": mebibytes}}


def ratio(side, to):
    """The median of the ratios within each round; None where one of both was not measured."""
    return statistics.median(a / b for a, b in zip(side.found, to.found)) if side and to and side.process and to.process else None


def shown(number): return "" if number is None else f"{number:.3g}"


def best(sides): return min((s for s in sides if s.process), key=lambda s: statistics.median(s.found), default=None)


def floor_of(sides, side):
    """Of as many threads."""
    return next((s for s in sides if s.role == "floor" and s.threads == side.threads), None)


def row(sides, side, columns, first, floors):
    if not side.process: return [side.label, "not measured", *[""] * (len(columns) + floors)]
    return [side.label, *(f(side.found) for f in columns.values()), shown(ratio(side, first)), *[shown(ratio(side, floor_of(sides, side)))] * floors]


def table(sides, columns):
    """Aligned, and Markdown. The column floor stands where a side of that name took part."""
    first = next((s for s in sides if s.process and s.role != "floor"), sides[0])
    floors = int(any(s.role == "floor" for s in sides))
    rows = [["", *columns, "ratio", *["to floor"] * floors], *(row(sides, s, columns, first, floors) for s in sides)]
    width = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(x.ljust(w) if i == 0 else x.rjust(w) for i, (x, w) in enumerate(zip(r, width))) + " |"
             for r in rows]
    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(width)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def standing(sides):
    """A line for each product of ours, "Chainrule" and "Chainrule emit", by threads: the best of its ways beside the best peer, C and the floor."""
    groups = dict.fromkeys((s.label.split(" (")[0], s.threads) for s in sides if s.role == "own" and s.process)
    several = len({threads for _, threads in groups}) > 1
    for name, threads in groups:
        alike = [s for s in sides if s.threads == threads]
        own = best(s for s in alike if s.role == "own" and s.label.split(" (")[0] == name)
        peer, reference = best(s for s in alike if s.role == "peer"), best(s for s in alike if s.role == "reference")
        beside = [(peer, f"the best peer, {peer.label}" if peer else ""), (reference, "C"), (floor_of(sides, own), "its floor")]
        said = [f"{shown(ratio(own, side))} x {what}" for side, what in beside if ratio(own, side) is not None]
        if said: yield f"{name}{f' on {threads} thread' + 's' * (threads > 1) if several else ''}, the best of its ways: {'; '.join(said)}."


NEAR = 1.3 # times its floor: C by hand that takes longer is no reference


def no_reference(sides, loose):
    for side in sides:
        over = ratio(side, floor_of(sides, side)) if side.role == "reference" and not loose else None
        if over and over > NEAR: yield f"{side.label}: no reference here, since above {NEAR} x its floor."


def measure(report, question, verb, rounds):
    """Gives the number of sides that computed something else."""
    sides = question.sides()
    wrong = check(sides)
    take_turns(sides, verb, rounds, question.steps)
    notes = [*standing(sides), *no_reference(sides, question.loose), question.remark, *(f"{s.label}: {s.why}." for s in sides if not s.process)]
    report.add("\n".join([f"## {question.title}", "", table(sides, COLUMNS[verb]), "", *(f"- {n}" for n in notes if n), "\n" * any(notes)]).rstrip() + "\n")
    for side in sides: side.close()
    return wrong


# ---- The report ----

class Report:
    """What is printed as it comes about, and kept in a file at the end."""

    def __init__(self, path):
        self.path, self.parts = path, []

    def add(self, text):
        self.parts.append(text)
        print(text, flush=True)

    def save(self):
        if not self.path: return
        with open(self.path, "w") as f: f.write("\n".join(self.parts))


def field(path, name):
    """The value of the first line "NAME: value" or "NAME=value" of a file."""
    try:
        with open(path) as f:
            for line in f:
                for mark in (":", "="):
                    key, _, value = line.partition(mark)
                    if key.strip() == name: return value.strip().strip('"')
    except OSError: pass
    return None


def compiler(build):
    kept = field(os.path.join(build, "CMakeCache.txt"), "CMAKE_C_COMPILER") or "cc" # "FILEPATH=.."
    cc = kept.split("=")[-1]
    return subprocess.run([cc, "--version"], capture_output=True, text=True).stdout.splitlines()[0]


def machine(o):
    model, vectors = field("/proc/cpuinfo", "model name") or platform.machine(), widest()
    system = field("/etc/os-release", "PRETTY_NAME") or platform.system()
    return f"""# Performance

Made by `make bench`. All sides of a table ran in turns, {o.rounds} rounds of {o.steps} steps, after a check that they compute
the same numbers. *median*: of the rounds, of the median time of a step. *ratio*: to the first row, the median of the
ratios within each round; it holds when the machine is shared, the times less so. *above idle*: the most memory that the process held (resident), less
what it held with its libraries loaded, before it had data. *floor*: a pass over the bytes that must be
read and written, in the fastest of many orders and where they stay from one pass to the next, or the arithmetic that must be done, on numbers in the first cache and in
the fastest form known here, whichever takes longer; with as many threads; *to floor*: the ratio to it. C by hand above {NEAR} x its floor is no reference, which is said. Under a table:
the best of Chainrule's ways beside the best peer, which C is not, beside C and beside the floor. Loops around a step have no floor, nor has the start of a process, nor graphs that are built without C beside them.

- {model}, {os.cpu_count()} cores{', ' + vectors if vectors else ''}; {system}; load {os.getloadavg()[0]:.1f} at the start
- {compiler(o.build)}; Chainrule with `-O3`, the C references with `-O3 -march=native`
"""


# ---- What is asked ----

# What no side can do without, in the words of bench/common/floor.c. Bytes: each tensor once.
LAYERS = { # sizes, and that
    "softmax": (((4096, 1024), (64, 50257)), lambda n, m: {"read": 4 * n * m, "write": 4 * n * m, "softmax": n * m}),
    "layer_norm": (((4096, 1024), (64, 50257)), lambda n, m: {"read": 8 * n * m, "write": 8 * n * m, "fma": 8 * n * m}),
    "gelu": (((4096, 1024), (64, 50257)), lambda n, m: {"read": 8 * n * m, "write": 8 * n * m, "gelu": n * m}),
    # The half of each matrix that is not masked.
    "attention": (((32, 128, 64), (32, 1024, 64)), lambda h, n, d: {
        "read": 16 * h * n * d, "write": 16 * h * n * d, "fma": 6 * h * d * n * (n + 1) // 2, "exp": h * n * (n + 1) // 2}),
}
MLP = ((784, 512), (512, 256), (256, 10)) # weights


def mlp_least(batch):
    """Products forward, of gradients by weights, and but for the first by inputs. State is read and written once, and before that weights are read. Adam's
    arithmetic only where products have no time of their own for it: beside them its roots and quotients would be free."""
    products = [n * m for n, m in MLP]
    state = sum(products) + sum(m for _, m in MLP)
    moved = {"again": 4 * sum(products), "update": 12 * state}
    return {**moved, "fma": sum(products), "adam": state} if batch == 1 else {**moved, "fma": batch * (3 * sum(products) - products[0])}


REMARKS = {
    "worked": "The floor loads three numbers and stores two, and computes nothing.",
    "chain": "The floor writes 16 bytes a node, an op and its operands, in one stream. It lies far below: no node is looked up among the others.",
    "small": "The floor is the multiply-adds of 100 points forward. Backward go those within the margin: 48 at the first step, less than 10 where it is timed.",
    "attention": "The floor has six products and an exponential a score, which is what one pass needs. A backward apart from its forward, which keeps no scores, needs seven and two: "
                 "1.17 x as much.",
    "mlp 128": "The floor is the multiply-adds of the products.",
    "mlp 1": "The floor is the greater of the state, read and written where it lies, and of the products forward with Adam's arithmetic.",
}
PEERS = { # modes of each peer that bench/peers/NAME_side.py knows, for each question
    "worked": {"torch": ("eager",), "jax": ("jit", "eager"), "casadi": ("vm", "c")},
    "reduce": {"torch": ("eager", "compile"), "jax": ("jit",), "casadi": ("vm", "c")},
    "mlp": {"torch": ("eager", "eager-foreach", "compile"), "jax": ("jit",), "casadi": ("vm",)},
    "layer": {"torch": ("eager", "compile"), "jax": ("jit",)},
    "small": {"torch": ("eager", "compile"), "jax": ("jit",)},
}
LABELS = {"torch": "PyTorch", "jax": "JAX", "casadi": "CasADi"}


BUILT = {"mlp": {"kann": "kann"}, "layer": {"llmc": "llm.c"}} # what no registry of packages has: named even where it is not


def built_peers(o, name):
    """{peer: program} of those already built in the folder PEERS: kann_mlp answers the question mlp."""
    found = glob.glob(os.path.join(o.built_peers, f"*_{name}")) if o.built_peers else []
    return {**dict.fromkeys(BUILT.get(name, {}), ""), **{os.path.basename(path).removesuffix(f"_{name}"): path for path in sorted(found)}}


def peers(o, name, *words, threads=1):
    """Those of bench/peers, then those already built."""
    python = os.path.join(o.peers, "bin", "python")
    for peer, modes in PEERS.get(name, {}).items():
        for mode in modes:
            yield Side(f"{LABELS[peer]} {mode}", python, os.path.join(HERE, "peers", f"{peer}_side.py"), name, mode, *words, threads=threads)
    for peer, path in built_peers(o, name).items():
        yield Side(BUILT.get(name, {}).get(peer, peer), path, *words, threads=threads)


def floor(o, least, threads=1):
    return Side("floor", os.path.join(o.build, "floor"), str(threads), *(f"{name}={count}" for name, count in least.items()), role="floor", threads=threads)


def processes(o):
    """One gradient by a process that is started for it."""
    def process(label, command, *words, role="peer"): return Side(label, os.path.join(o.build, "process"), label, command, *words, role=role, needs=command)
    python, point = os.path.join(o.peers, "bin", "python"), ("1", "1", "2")
    yield process("C", os.path.join(o.build, "start_reference"), *point, role="reference")
    for peer, label in LABELS.items(): yield process(label, python, os.path.join(HERE, "peers", "start.py"), peer, *point)
    yield process("chainrule grad", os.path.join(o.build, "chainrule"), "grad", "loss = (w*x - y)^2", "--wrt", "w", *map("=".join, zip("wxy", point)), role="own")


def of_build(o):
    """Makers of the sides that the build has: by hand, Chainrule's, and the same with loops compiled."""
    def reference(name, *words, threads=1): return Side("C", os.path.join(o.build, f"{name}_reference"), *words, role="reference", threads=threads)
    def compiled(name, *words, threads=1): return chainrule(name, *words, "cc", threads=threads)
    def chainrule(name, *words, threads=1): return Side("Chainrule", os.path.join(o.build, f"{name}_chainrule"), *words, role="own", threads=threads)
    return reference, chainrule, compiled


def mlp_sides(o, folder, batch, threads, *floors):
    reference, chainrule, compiled = of_build(o)
    words = folder, batch, threads
    make_data(o, folder, batch)
    return [reference("mlp", *words, threads=threads), *floors, *peers(o, "mlp", *words, threads=threads),
            chainrule("mlp", *words, threads=threads), compiled("mlp", *words, threads=threads)]


Question = collections.namedtuple("Question", "title sides steps remark loose", defaults=("", False)) # sides start when they are asked for


def memory_questions(o, folder):
    for batch in "128", "1":
        yield Question(f"MLP 784-512-256-10 with Adam, batch {batch}, 1 thread: memory of a training", lambda: mlp_sides(o, os.path.join(folder, batch), batch, "1"), o.steps)


def questions(o, folder):
    """Data is made when it is needed."""
    reference, chainrule, compiled = of_build(o)
    yield Question("The worked example: a step, value and gradient", lambda: [
        reference("worked"), Side("floor", os.path.join(o.build, "worked_floor"), role="floor"), *peers(o, "worked"), chainrule("worked"), compiled("worked"),
        chainrule("emitted_unchecked"), chainrule("emitted")], o.steps, REMARKS["worked"])
    yield Question("A process for one gradient, from its start to its end", lambda: list(processes(o)), max(o.steps // 5, 1))
    yield Question("A chain of 200,000 ops: build, differentiate and free, a node", lambda: [
        reference("build"), floor(o, {"write": 16 * 600001, "each": 600001}), chainrule("build", "chain")], 3, REMARKS["chain"], True)
    yield Question("The MLP's loss: build, differentiate and free, a node", lambda: [chainrule("build", "mlp")], o.steps)
    yield Question("The worked example, rebuilt: build, differentiate and free, a node", lambda: [chainrule("build", "worked")], o.steps)
    yield Question("A graph rebuilt at every step: to its first result, a node", lambda: [chainrule("rebuild", way) for way in ("anew", "again", "found")], o.steps)
    for n in "1e4", "1e6", "3e7":
        least = {"read": 4 * int(float(n)), "write": 4 * int(float(n)), "tanh_sigmoid": int(float(n))}
        yield Question(f"sum(tanh(a*x + b)*sigmoid(c*x)) over {n} numbers: value and gradient", lambda: [
            reference("reduce", n), *(floor(o, least, threads) for threads in (1, 2)), *peers(o, "reduce", n, "1"),
            *(way("reduce", n, threads, threads=threads) for threads in ("1", "2") for way in (chainrule, compiled))], 1 if n == "3e7" else o.steps)
    yield Question("A small net, 2-16-16-1 with relu on 100 points: a step of gradient descent", lambda: [
        reference("small"), floor(o, {"fma": 100 * (2 * 16 + 16 * 16 + 16)}), *peers(o, "small"), chainrule("small"), compiled("small")], o.steps, REMARKS["small"])
    for name, sizes, least in ((name, sizes, least) for name, (all_sizes, least) in LAYERS.items() for sizes in all_sizes):
        words = [name, *map(str, sizes)]
        yield Question(f"{name} of {' x '.join(words[1:])}, forward and backward, 1 thread", lambda: [
            reference("layer", *words), floor(o, least(*sizes)), *peers(o, "layer", *words, "1"),
            *(way("layer", *words, "1") for way in (chainrule, compiled))], max(o.steps // 5, 1), REMARKS.get(name, ""))
    for batch in "128", "1":
        data = os.path.join(folder, batch)
        for threads in "1", "2":
            yield Question(f"MLP 784-512-256-10 with Adam, batch {batch}, {threads} thread{'s' * (threads != '1')}: a step", lambda: mlp_sides(
                o, data, batch, threads, floor(o, mlp_least(int(batch)), int(threads))), o.steps, REMARKS[f"mlp {batch}"])
    for batch in "128", "1":
        for threads in "1", "2":
            yield Question(f"The training loop around it, batch {batch}, {threads} thread{'s' * (threads != '1')}: an epoch, a step",
                           lambda: [chainrule("loop", batch, threads, mode) for mode in ("bare", "train")], 1)


GRADBENCH = ["manual", "codipack", "adol-c", "adept", "cppad", "tapenade", "enzyme", "jax", "pytorch"] # its tools


def gradbench(o, report):
    """GradBench's own programs ask, judge and time. Gives the number of evals that were wrong: 1 for any."""
    folder, python = os.path.join(o.built_peers, "gradbench"), os.path.join(o.peers, "bin", "python")
    title = "## GradBench: a call, and its tools\n\n"
    if not o.built_peers or not os.path.isdir(folder):
        report.add(f"{title}Not measured: Chainrule beside {', '.join(GRADBENCH)}: PEERS=FOLDER names where its checkout is, FOLDER/gradbench.\n")
        return 0
    run = subprocess.run([python, os.path.join(HERE, "gradbench", "run.py"), "accept", "--adapter", os.path.join(o.build, "gradbench_chainrule"), "--compile", "cc",
                          "--gradbench", folder, "--beside", *GRADBENCH], stdout=subprocess.PIPE, text=True)
    report.add(title + run.stdout)
    return run.returncode


def make_data(o, folder, batch):
    if not os.path.isdir(folder):
        os.mkdir(folder)
        subprocess.run([os.path.join(o.build, "mlp_data"), folder, batch], check=True)


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True)
    p.add_argument("--peers", default="", help="the virtual environment that bench/peers/setup.sh makes")
    p.add_argument("--built-peers", default="", help="a folder of programs NAME_QUESTION behind the line protocol: kann_mlp ..")
    p.add_argument("--report")
    p.add_argument("--only", default="", help="ask only what has this word in its title")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--steps", type=int, default=20)
    return p.parse_args()


def main():
    o, wrong = options(), 0
    report = Report(o.report)
    report.add(machine(o))
    with tempfile.TemporaryDirectory() as folder:
        for q in questions(o, folder):
            if o.only in q.title: wrong += measure(report, q, "run", o.rounds)
        for q in memory_questions(o, folder):
            if o.only in q.title: wrong += measure(report, q, "memory", 1)
    if o.only in "GradBench": wrong += gradbench(o, report)
    report.save()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__": main()

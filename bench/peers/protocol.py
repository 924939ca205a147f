"""The line protocol of bench/common/protocol.h for sides in Python: serve(side).

A side has name, note, calls (how many evaluations a step is: its time is divided by it), reset() and step(i), which gives the loss.
"""
import json
import os
import statistics
import sys
import time

WARM_UP = 2  # as in bench/common/protocol.c
SIZES = [784, 512, 256, 10]  # of the MLP whose data bench/common/mlp_data.h describes
BATCHES = 8


def keep_to(threads):
    """Runs on that many processors, for libraries that take as many threads as they see; to be called before one is imported."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def run(side, n):
    side.reset()
    for i in range(WARM_UP): side.step(i)
    times = []
    for i in range(n):
        start = time.perf_counter_ns()
        side.step(WARM_UP + i)
        times.append((time.perf_counter_ns() - start) / side.calls)
    return {"ns": statistics.median(times)}


def losses(side, n):
    side.reset()
    return {"losses": [side.step(i) for i in range(n)]}


def answer(side, words):
    verbs = {"run": run, "losses": losses}
    if len(words) != 2 or words[0] not in verbs or not words[1].isdecimal() or int(words[1]) < 1:
        return {"error": "expected: run N, losses N, or quit"}
    return verbs[words[0]](side, int(words[1]))


def serve(side):
    print(json.dumps({"ready": side.name, "note": side.note}), flush=True)
    for line in sys.stdin:
        if line.startswith("quit"): break
        print(json.dumps(answer(side, line.split())), flush=True)


def data(folder, batch, numpy):
    """The MLP's initial weights [W1, b1, W2, b2, W3, b3], its inputs and its classes, of each batch."""
    def read(name, dtype): return numpy.fromfile(os.path.join(folder, name), dtype)
    flat, at, weights = read("parameters.f32", "<f4"), 0, []
    for inputs, out in zip(SIZES, SIZES[1:]):
        weights.append(flat[at:at + inputs * out].reshape(inputs, out))
        weights.append(flat[at + inputs * out:at + inputs * out + out])
        at += inputs * out + out
    return weights, read("x.f32", "<f4").reshape(BATCHES, batch, SIZES[0]), read("y.i32", "<i4").reshape(BATCHES, batch)


def numbers(n, numpy):
    """What the elementwise question is asked of: as in bench/chainrule/reduce.c."""
    return (numpy.arange(n) % 8191 / 2048 - 2).astype("<f4")

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


def resident(name):
    """A size of /proc/self/status in bytes: VmRSS, what is resident, or VmHWM, the most that was. 0 where there is none."""
    try:
        with open("/proc/self/status") as f: return next((1024 * int(line.split()[1]) for line in f if line.startswith(name)), 0)
    except OSError: return 0


def idle():
    """Says that the process is idle, with all loaded that its libraries load late: what it holds now is not counted by `memory`."""
    try:
        with open("/proc/self/clear_refs", "w") as f: f.write("5")  # what was most so far is forgotten: proc(5)
    except OSError: pass
    memory.idle = resident("VmRSS")


def memory(side, n):
    losses(side, n)
    most = resident("VmHWM")
    return {"bytes": max(most - memory.idle, 0)} if most and memory.idle else {"error": "not known here"}


def answer(side, words):
    verbs = {"run": run, "losses": losses, "memory": memory}
    if len(words) != 2 or words[0] not in verbs or not words[1].isdecimal() or int(words[1]) < 1:
        return {"error": "expected: run N, losses N, memory N, or quit"}
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


def hashed(i, numpy):
    """Of bench/common/layer.h: the upper 16 bits of 2654435761 i modulo 2^32."""
    return (numpy.asarray(i, "uint64") * numpy.uint64(2654435761) & numpy.uint64(0xffffffff)) >> numpy.uint64(16)


class Layer:
    """Shapes and data of the questions of bench/common/layer.h."""

    def __init__(self, numpy, name, *sizes):
        shape, self.name = tuple(int(n) for n in sizes), name
        vector = shape[-1:]
        self.shapes = {"softmax": [shape], "layer_norm": [shape, vector, vector, shape], "gelu": [shape, shape],
                       "attention": [shape] * 4}[name]
        self.inputs = [self.tensor(j, s, numpy) for j, s in enumerate(self.shapes)]
        self.classes = (hashed(numpy.arange(shape[0]), numpy) % numpy.uint64(shape[-1])).astype("int64")
        self.has_cotangent = name != "softmax"

    @staticmethod
    def tensor(j, shape, numpy):
        k = numpy.arange(numpy.prod(shape), dtype="uint64") + numpy.uint64(1 + 1000003 * j)
        return (hashed(k, numpy).astype("float32") / numpy.float32(16384) - numpy.float32(2)).reshape(shape)


def sample(results, i):
    """What step i gives, of results with reshape(-1)."""
    flat = results[i % len(results)].reshape(-1)
    return float(flat[7919 * i % flat.shape[0]])


def small(numpy):
    """The points [100, 2], the classes, and the parameters W1, b1 .. of bench/common/small.h."""
    x = (hashed(numpy.arange(1, 201), numpy).astype("float32") / numpy.float32(16384) - numpy.float32(2)).reshape(100, 2)
    y = numpy.where(x[:, 0] * x[:, 1] > 0, 1, -1).astype("float32")
    parameters, at = [], 1000004
    for n, m in ((2, 16), (16, 16), (16, 1)):
        w = hashed(numpy.arange(at, at + n * m), numpy).astype("float32") / numpy.float32(32768) - numpy.float32(1)
        parameters += [w.reshape(n, m) * numpy.sqrt(numpy.float32(6 / n)), numpy.zeros(m, "float32")]
        at += n * m + m
    return x, y, parameters

#!/usr/bin/env python3
"""The questions of bench/run.py answered by CasADi, behind the line protocol of bench/common/protocol.h.

    casadi_side.py worked MODE
    casadi_side.py reduce MODE N THREADS
    casadi_side.py mlp MODE FOLDER BATCH THREADS      FOLDER holds the data that bench/common/mlp_data.h describes

MODE: vm, CasADi's own evaluator; or c, the C that it writes, built by the system's compiler at -O3 -march=native. CasADi
computes in double and on one thread.
"""
import os
import subprocess
import sys
import tempfile

import casadi as ca
import numpy

import protocol


def built(function, mode, folder):
    """The function, or its generated C, compiled and loaded."""
    if mode != "c": return function
    source, library = os.path.join(folder, function.name() + ".c"), os.path.join(folder, function.name() + ".so")
    generator = ca.CodeGenerator(function.name() + ".c")
    generator.add(function)
    generator.generate(folder + os.sep)
    subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", source, "-o", library, "-lm"], check=True)
    return ca.external(function.name(), library)


class Question:
    """A function of arrays, called through a buffer that is set up once: what CasADi has of least overhead."""
    calls, note = 1, "double, 1 thread"

    def __init__(self, mode, function, arguments):
        self.name, self.folder = f"CasADi {ca.__version__} {mode}", tempfile.TemporaryDirectory()
        self.function = built(function, mode, self.folder.name)
        self.arguments = [numpy.array(a, dtype=float, order="F") for a in arguments]
        self.results = [numpy.zeros(self.function.size_out(i), order="F") for i in range(self.function.n_out())]
        self.buffer, self.call = self.function.buffer()
        for i, a in enumerate(self.arguments): self.buffer.set_arg(i, memoryview(a.T.reshape(-1)))
        for i, r in enumerate(self.results): self.buffer.set_res(i, memoryview(r.T.reshape(-1)))

    def reset(self): pass


class Worked(Question):
    calls = 100000

    def __init__(self, mode):
        w, x, y = (ca.SX.sym(name) for name in "wxy")
        loss = (w * x - y) ** 2
        super().__init__(mode, ca.Function("worked", [w, x, y], [loss, ca.gradient(loss, w)]), [1, 1, 2])

    def step(self, i):
        self.arguments[0][...] = 1 + i % 64 / 16
        for _ in range(self.calls): self.call()
        return float(self.results[0].item())


class Reduce(Question):
    def __init__(self, mode, n):
        n = int(float(n))
        x, (a, b, c) = ca.MX.sym("x", n), (ca.MX.sym(name) for name in "abc")
        value = ca.sum1(ca.tanh(a * x + b) / (1 + ca.exp(-c * x)))
        function = ca.Function("reduce", [x, a, b, c], [value, *(ca.gradient(value, v) for v in (a, b, c, x))])
        super().__init__(mode, function, [protocol.numbers(n, numpy), 0.5, 0.25, 0.75])

    def step(self, i):
        self.arguments[1][...] = 0.5 + i % 8 / 16
        self.call()
        return sum(float(r.item()) for r in self.results[:4])


class Mlp(Question):
    def __init__(self, mode, folder, batch):
        self.initial, self.x, self.y = protocol.data(folder, int(batch), numpy)
        shapes = [(len(w), w.shape[1]) if w.ndim == 2 else (1, len(w)) for w in self.initial]
        weights, first, second = ([ca.MX.sym(f"{name}{k}", *shape) for k, shape in enumerate(shapes)] for name in "wmv")
        x, hot, t = ca.MX.sym("x", int(batch), protocol.SIZES[0]), ca.MX.sym("hot", int(batch), protocol.SIZES[-1]), ca.MX.sym("t")
        loss = self.loss(weights, x, hot, int(batch))
        grads = [ca.gradient(loss, w) for w in weights]
        first_next = [0.9 * m + 0.1 * g for m, g in zip(first, grads)]
        second_next = [0.999 * v + 0.001 * g * g for v, g in zip(second, grads)]
        a, b = 1 - 0.9 ** t, 1 - 0.999 ** t
        next_weights = [w - 1e-3 * (m / a) / (ca.sqrt(v / b) + 1e-8) for w, m, v in zip(weights, first_next, second_next)]
        function = ca.Function("mlp", [*weights, *first, *second, x, hot, t], [loss, *next_weights, *first_next, *second_next])
        start = [w.reshape(s) for w, s in zip(self.initial, shapes)]
        zeros = [numpy.zeros(s) for s in shapes] * 2
        super().__init__(mode, function, [*start, *zeros, self.x[0], numpy.zeros((int(batch), protocol.SIZES[-1])), 0])
        self.start = [a.copy() for a in self.arguments]

    @staticmethod
    def loss(weights, x, hot, batch):
        w1, b1, w2, b2, w3, b3 = weights
        rows = lambda b: ca.repmat(b, batch, 1)
        h = ca.fmax(ca.mtimes(x, w1) + rows(b1), 0)
        h = ca.fmax(ca.mtimes(h, w2) + rows(b2), 0)
        logits = ca.mtimes(h, w3) + rows(b3)
        largest = ca.mmax(logits)
        return ca.sum1(largest + ca.log(ca.sum2(ca.exp(logits - largest))) - ca.sum2(hot * logits)) / batch

    def reset(self):
        for a, s in zip(self.arguments, self.start): a[...] = s
        self.t = 0

    def step(self, i):
        self.t += 1
        x, hot, t = self.arguments[-3:]
        k = i % protocol.BATCHES
        x[...] = self.x[k]
        hot[...] = 0
        hot[numpy.arange(len(hot)), self.y[k]] = 1
        t[...] = self.t
        self.call()
        for a, r in zip(self.arguments, self.results[1:]): a[...] = r
        return float(self.results[0].item())


def main():
    questions = {"worked": Worked, "reduce": Reduce, "mlp": Mlp}
    if len(sys.argv) < 3 or sys.argv[1] not in questions: sys.exit(__doc__)
    question, mode, *words = sys.argv[1:]
    protocol.idle()
    protocol.serve(questions[question](mode, *(words[:-1] if words else [])))


main()

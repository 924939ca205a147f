#!/usr/bin/env python3
"""The questions of bench/run.py answered by JAX, behind the line protocol of bench/common/protocol.h.

    jax_side.py worked MODE
    jax_side.py reduce MODE N THREADS
    jax_side.py layer MODE QUESTION SIZES.. THREADS      those of bench/common/layer.h
    jax_side.py small MODE
    jax_side.py mlp MODE FOLDER BATCH THREADS      FOLDER holds the data that bench/common/mlp_data.h describes

MODE: eager, or jit: the whole step, Adam with it, is one compiled function that is given its weights to write over.
JAX takes as many threads as the process has processors.
"""
import sys

import protocol

if __name__ == "__main__": protocol.keep_to(int(sys.argv[-1]) if len(sys.argv) > 3 else 1)

import jax
import jax.numpy as jnp
import numpy


class Question:
    calls, note = 1, ""

    def __init__(self, mode):
        self.name = f"JAX {jax.__version__} {mode}"
        self.jit = jax.jit if mode == "jit" else lambda f, **_: f


class Mlp(Question):
    def __init__(self, mode, folder, batch):
        super().__init__(mode)
        self.initial, x, y = protocol.data(folder, int(batch), numpy)
        self.x, self.y = [jnp.asarray(v) for v in x], [jnp.asarray(v) for v in y]
        self.update = self.jit(self.adam, donate_argnums=0)

    @staticmethod
    def loss(weights, x, y):
        w1, b1, w2, b2, w3, b3 = weights
        logits = jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))

    @staticmethod
    def adam(state, x, y):
        weights, first, second, t = state
        loss, grads = jax.value_and_grad(Mlp.loss)(weights, x, y)
        t = t + 1
        first = [0.9 * m + 0.1 * g for m, g in zip(first, grads)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(second, grads)]
        a, b = 1 - 0.9 ** t, 1 - 0.999 ** t
        weights = [w - 1e-3 * (m / a) / (jnp.sqrt(v / b) + 1e-8) for w, m, v in zip(weights, first, second)]
        return (weights, first, second, t), loss

    def reset(self):
        zeros = lambda: [jnp.zeros(w.shape, "float32") for w in self.initial]
        self.state = [jnp.array(w) for w in self.initial], zeros(), zeros(), jnp.float32(0)

    def step(self, i):
        k = i % protocol.BATCHES
        self.state, loss = self.update(self.state, self.x[k], self.y[k])
        jax.block_until_ready(self.state)
        return float(loss)


class Worked(Question):
    def __init__(self, mode):
        super().__init__(mode)
        self.calls = 1000 if mode == "jit" else 10

    def reset(self):
        self.gradient = self.jit(jax.value_and_grad(lambda w, x, y: (w * x - y) ** 2))
        self.x, self.y = jnp.float64(1), jnp.float64(2)

    def step(self, i):
        w = jnp.float64(1 + i % 64 / 16)
        for _ in range(self.calls): loss, dw = self.gradient(w, self.x, self.y)
        dw.block_until_ready()
        return float(loss)


class Reduce(Question):
    def __init__(self, mode, n):
        super().__init__(mode)
        self.x = jnp.asarray(protocol.numbers(int(float(n)), numpy))
        self.gradient = self.jit(jax.value_and_grad(
            lambda x, a, b, c: jnp.sum(jnp.tanh(a * x + b) * jax.nn.sigmoid(c * x)), argnums=(0, 1, 2, 3)))

    def reset(self): pass

    def step(self, i):
        value, (dx, *d) = self.gradient(self.x, jnp.float32(0.5 + i % 8 / 16), jnp.float32(0.25), jnp.float32(0.75))
        dx.block_until_ready()
        return float(value) + sum(map(float, d))


class Layer(Question):
    def __init__(self, mode, name, *sizes):
        super().__init__(mode)
        layer = protocol.Layer(numpy, name, *sizes)
        self.tensors = [jnp.asarray(x) for x in layer.inputs]
        classes = jnp.asarray(layer.classes, "int32")
        value = {"softmax": lambda x: -jnp.sum(jnp.take_along_axis(jax.nn.log_softmax(x), classes[:, None], 1)),
                 "layer_norm": self.layer_norm, "gelu": lambda x: jax.nn.gelu(x, approximate=False),
                 "attention": self.attention}[name]

        def both(tensors):
            leaves = tensors[:-1] if layer.has_cotangent else tensors
            y, back = jax.vjp(value, *leaves)
            return y, *back(tensors[-1] if layer.has_cotangent else jnp.float32(1))
        self.both = self.jit(both)

    @staticmethod
    def layer_norm(x, gain, bias):
        mean = jnp.mean(x, -1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(jnp.var(x, -1, keepdims=True) + 1e-5) * gain + bias

    @staticmethod
    def attention(q, k, v):
        s = q @ jnp.swapaxes(k, -1, -2) / q.shape[-1] ** 0.5
        seen = jnp.tril(jnp.ones(s.shape[-2:], bool))
        return jax.nn.softmax(jnp.where(seen, s, -jnp.inf)) @ v

    def reset(self): pass

    def step(self, i):
        results = jax.block_until_ready(self.both(self.tensors))
        return protocol.sample(results, i)


class Small(Question):
    calls = 100

    def __init__(self, mode):
        super().__init__(mode)
        x, y, self.initial = protocol.small(numpy)
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.update = self.jit(self.descend, donate_argnums=0)

    @staticmethod
    def loss(p, x, y):
        w1, b1, w2, b2, w3, b3 = p
        score = (jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3)[:, 0]
        return jnp.mean(jax.nn.relu(1 - y * score)) + 1e-4 * sum(jnp.sum(v * v) for v in p)

    @staticmethod
    def descend(p, x, y):
        loss, d = jax.value_and_grad(Small.loss)(p, x, y)
        return [v - 0.05 * g for v, g in zip(p, d)], loss

    def reset(self): self.p = [jnp.array(v) for v in self.initial]

    def step(self, i):
        for _ in range(self.calls): self.p, loss = self.update(self.p, self.x, self.y)
        jax.block_until_ready(self.p)
        return float(loss)


def main():
    questions = {"worked": Worked, "reduce": Reduce, "layer": Layer, "small": Small, "mlp": Mlp}
    if len(sys.argv) < 3 or sys.argv[1] not in questions: sys.exit(__doc__)
    question, mode, *words = sys.argv[1:]
    if question == "worked": jax.config.update("jax_enable_x64", True)
    jax.grad(lambda x: x * x)(1.0)
    protocol.idle()
    protocol.serve(questions[question](mode, *(words[:-1] if words else [])))


main()

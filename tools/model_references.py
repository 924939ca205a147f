#!/usr/bin/env python3
"""The models of examples/ in PyTorch.

    pip install torch numpy; tools/model_references.py > tests/data/models.inc

writes what tests/train/models.c compares with: losses of 20 steps in double precision, of weights and data that both sides compute, then
the loss in prediction of all data.

    MODEL(name, method, batch, losses of the steps, loss in prediction, accuracies of the steps, accuracy in prediction)

where the last two are 0 for a model without them.

    tools/model_references.py FILE.cr WEIGHTS.safetensors BATCH RATE STEPS TRAIN TEST [WINDOW]

trains examples/mlp.cr, conv.cr or transformer.cr in single precision by Adam, from the weights that `chainrule train --epochs 0 --out
WEIGHTS` wrote, on batches in the order of the data (train --shuffle 0), and prints the mean loss of the steps and that of TEST. Progress goes to standard error. TRAIN and
TEST are a text, or images and labels (IDX) parted by a comma. RATE is as in Python, a function of `step`."""
import gzip
import json
import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F


# ---- The models: w holds parameters by their names in the formula files. They give the loss, and the accuracy if there is one. ----


def judged(logits, y):
    return F.cross_entropy(logits, y), (logits.argmax(-1) == y).double().mean().item()


def mlp(w, data, training):
    x, y = data
    return judged(F.relu(x / 255 @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"], y)


def batch_norm(w, name, x, training):
    mean, var = w[name + ".mean"].detach(), w[name + ".var"].detach()  # updated in place
    return F.batch_norm(x, mean, var, w[name + ".gain"], w[name + ".bias"], training, 0.1, 1e-5)


def dense(w, name, x):
    return x @ w[name + ".W"] + w[name + ".b"]


def conv(w, data, training):
    x, y = data
    x = x.reshape(-1, 1, 28, 28) / 255
    for k in ("c1", "c2"):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[k + ".W"], w[k + ".b"], padding=w[k + ".W"].shape[-1] // 2)), 2)
    return judged(dense(w, "logits", F.relu(dense(w, "f1", x.flatten(1)))), y)


def normed(w, data, training):
    x, y = data
    x = x.reshape(-1, 1, 28, 28) / 255
    h = F.conv2d(x, w["c.W"], w["c.b"], stride=3)
    h = F.max_pool2d(F.relu(batch_norm(w, "n", h, training)), 3)
    h = dense(w, "d", h.flatten(1))
    return F.cross_entropy(batch_norm(w, "m", h, training), y), 0


def layer_norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".gain"], w[name + ".bias"])


def attention(w, name, x, heads):
    b, n, d = x.shape
    q, k, v = ((x @ w[f"{name}.W{c}"]).reshape(b, n, heads, d // heads).transpose(1, 2) for c in "qkv")
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.transpose(1, 2).reshape(b, n, d) @ w[name + ".Wo"]


def transformer(w, data, training, heads=4):
    text = data[0].long()
    h = w["tokens.table"][text[:, :-1]] + w["positions"]
    for k in ("h1", "h2", "h3", "h4"):
        h = h + attention(w, k + ".attended", layer_norm(w, k + ".before", h), heads)
        h = h + dense(w, k + ".outer", F.gelu(dense(w, k + ".inner", layer_norm(w, k + ".between", h))))
    logits = dense(w, "logits", layer_norm(w, "h", h))
    return F.cross_entropy(logits.flatten(0, 1), text[:, 1:].flatten()), 0


def cells(w, data, training):
    x = data[0]
    state = [w[k].expand(len(x), -1) for k in ("h", "c")]
    for k in range(2):
        state = torch._VF.lstm_cell(x[:, k], state, w["W"].T, w["U"].T, w["b"], torch.zeros_like(w["b"]))
    y = torch._VF.gru_cell(x[:, 2], state[0], w["V"].T, w["R"].T, w["p"], w["q"])
    return ((y - 0.5) ** 2).mean(), 0


# ---- Small, in double precision ----


def norm(name, n):
    return {name + ".gain": (n,), name + ".bias": (n,)}


def affine(name, n, m):
    return {name + ".W": (n, m), name + ".b": (m,)}


def running(name, n):
    return norm(name, n) | {name + ".mean": (n,), name + ".var": (n,)}


def conv_shapes():
    shapes = {"c1.W": (16, 1, 5, 5), "c1.b": (16,), "c2.W": (32, 16, 3, 3), "c2.b": (32,)}
    return shapes | affine("f1", 1568, 128) | affine("logits", 128, 10)


def normed_shapes():
    return {"c.W": (4, 1, 3, 3), "c.b": (4,)} | running("n", 4) | affine("d", 36, 10) | running("m", 10)


def transformer_shapes(d, length):
    shapes = {"positions": (length - 1, d), "tokens.table": (256, d)}
    for k in ("h1", "h2", "h3", "h4"):
        shapes |= norm(k + ".before", d) | {f"{k}.attended.W{c}": (d, d) for c in "qkvo"} | norm(k + ".between", d)
        shapes |= affine(k + ".inner", d, 4 * d) | affine(k + ".outer", 4 * d, d)
    return shapes | norm("h", d) | affine("logits", d, 256)


def start(name, shape):
    """A wave about 1 for gains and variances, else about 0, that depends on the name."""
    i = np.arange(math.prod(shape), dtype=float)
    centre = 1.0 if name.endswith((".gain", ".var")) else 0.0
    return torch.tensor(centre + 0.2 * np.sin(0.7 * i + sum(name.encode())).reshape(shape))


def images():
    r, i = np.arange(80)[:, None], np.arange(784)
    return torch.tensor(127.5 + 127.5 * np.sin(0.37 * i + r * r)), torch.tensor((7 * r[:, 0] + 3) % 10)


def windows():
    r, j = np.arange(60)[:, None], np.arange(9)
    return (torch.tensor((r * r + 5 * j * j + 3 * r * j) % 256),)


def waves():
    r, i = np.arange(80)[:, None], np.arange(6)
    return (torch.tensor(np.sin(r + 1.3 * i)).reshape(80, 3, 2),)


def optimiser(method, params):
    rate = float(method[method.index("=") + 1:].split(",")[0].rstrip(")"))
    if method.startswith("sgd"):
        return torch.optim.SGD(params, lr=rate, momentum=0.9)
    return torch.optim.Adam(params, lr=rate)


def reference(name, model, shapes, data, method):
    w = {k: start(k, s) for k, s in shapes.items()}
    trained = [v.requires_grad_() for k, v in w.items() if not k.endswith((".mean", ".var"))]
    o, losses, accuracies, batch = optimiser(method, trained), [], [], len(data[0]) // 20
    for k in range(20):
        o.zero_grad()
        loss, accuracy = model(w, [d[k * batch:(k + 1) * batch] for d in data], True)
        loss.backward()
        o.step()
        losses.append(repr(loss.item()))
        accuracies.append(repr(accuracy))
    with torch.no_grad():
        loss, accuracy = model(w, data, False)
    print(f'MODEL({name}, "{method}", {batch}, LOSSES({", ".join(losses)}), {loss.item()!r}, LOSSES({", ".join(accuracies)}), {accuracy!r})')


def references():
    print(f"/* Made by tools/model_references.py with PyTorch {torch.__version__.split('+')[0]}. */")
    mlp_shapes = {"W1": (784, 128), "b1": (128,), "W2": (128, 10), "b2": (10,)}
    reference("mlp", mlp, mlp_shapes, images(), "adam(rate=0.002)")
    reference("conv", conv, conv_shapes(), images(), "sgd(rate=0.001, momentum=0.9)")
    reference("normed", normed, normed_shapes(), images(), "sgd(rate=0.05, momentum=0.9)")
    reference("transformer", lambda *a: transformer(*a, heads=2), transformer_shapes(16, 9), windows(), "adam(rate=0.0003)")
    reference("cells", cells, {"W": (2, 16), "U": (4, 16), "b": (16,), "h": (1, 4), "c": (1, 4), "V": (2, 12), "R": (4, 12), "p": (12,), "q": (12,)},
              waves(), "adam(rate=0.003)")


# ---- As they are, on real data ----


def safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = {k: v for k, v in json.loads(raw[8:8 + n]).items() if k != "__metadata__"}
    return {k: torch.tensor(np.frombuffer(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]], "<f4").reshape(v["shape"]).copy())
            for k, v in header.items()}


def idx(path):
    raw = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
    dims = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)


def load(path, window):
    if window:
        text = np.frombuffer(open(path, "rb").read(), np.uint8)
        return (torch.tensor(np.lib.stride_tricks.sliding_window_view(text, window)[::window - 1].copy()),)
    x, y = (idx(p) for p in path.split(","))
    return torch.tensor(x.reshape(len(x), -1), dtype=torch.float32), torch.tensor(y.astype(np.int64))


def train(path, weights, batch, rate, steps, training, test, window="0"):
    model = transformer if "transformer" in path else conv if "conv" in path else mlp
    batch, steps, window = int(batch), int(steps), int(window)
    w, data, held = safetensors(weights), load(training, window), load(test, window)
    o = torch.optim.Adam([v.requires_grad_() for k, v in w.items() if not k.endswith((".mean", ".var"))])
    total = 0.0
    for step in range(steps):
        o.param_groups[0]["lr"] = eval(rate, {"step": step, "min": min, "cos": math.cos, "pi": math.pi})
        at = step % (len(data[0]) // batch) * batch
        o.zero_grad()
        loss, _ = model(w, [d[at:at + batch] for d in data], True)
        loss.backward()
        o.step()
        total += loss.item()
        if (step + 1) % 100 == 0: print(f"PyTorch: step {step + 1} of {steps}, mean loss {total / (step + 1):.4f}", file=sys.stderr, flush=True)
    with torch.no_grad():
        batches = [[d[i:i + batch] for d in held] for i in range(0, len(held[0]), batch)]
        parts = [(len(b[0]), *model(w, b, False)) for b in batches]
    loss, accuracy = (sum(p[0] * float(p[k]) for p in parts) / len(held[0]) for k in (1, 2))
    print(f"training {total / steps:.6f}, test {loss:.6f}, accuracy {accuracy:.6f}")


train(*sys.argv[1:]) if len(sys.argv) > 1 else references()

#!/usr/bin/env python3
"""Does examples/transformer.cr learn as the same model in PyTorch does?

    transformer.py PROGRAM

The program trains it on a text, byte by byte, and tools/model_references.py trains it in PyTorch: in single precision, from the same weights,
on the same batches, side by side with one thread each. Then both are asked for the loss on text that neither has seen. Fails where the two
losses differ by more than 1 %, or where ours is not below that of a model which knows how frequent each byte is, by a quarter. Run by an
interpreter that has PyTorch: `make check-peers`.

The text is that of Debian's package fortunes. 1,200 steps take some minutes on each side."""
import collections
import glob
import math
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MODEL = os.path.join(TOP, "examples", "transformer.cr")
REFERENCE = os.path.join(TOP, "tools", "model_references.py")
TEXTS = "/usr/share/games/fortunes/*.u8"
HELD_OUT = 100_000  # bytes at the end of the text
WINDOW, BATCH, WARM = 65, 32, 40
FARTHEST, LEARNED = 0.01, 0.75


def write_texts(folder):
    """Paths of the text to learn and of the other, and the number of steps in one pass over the first."""
    parts = [open(path, "rb").read() for path in sorted(glob.glob(TEXTS))]
    text = b"".join(parts)
    if len(text) < 10 * HELD_OUT: sys.exit(f"{TEXTS}: expected at least {10 * HELD_OUT} bytes, found {len(text)}: Debian's package fortunes has them")
    paths = [os.path.join(folder, name) for name in ("train", "test")]
    for path, part in zip(paths, (text[:-HELD_OUT], text[-HELD_OUT:])):
        with open(path, "wb") as f: f.write(part)
    windows = (len(text) - HELD_OUT - 1) // (WINDOW - 1)
    return *paths, windows // BATCH


def whole_batches(path, steps):
    """Cuts a text to what so many steps read, so that no batch is shorter than the others."""
    os.truncate(path, steps * BATCH * (WINDOW - 1) + 1)


def frequencies(training, test):
    """The loss on the one text of who knows the frequencies of bytes in the other (add-one)."""
    seen, found = (collections.Counter(open(path, "rb").read()) for path in (training, test))
    return -sum(n * math.log((seen[byte] + 1) / (seen.total() + 256)) for byte, n in found.items()) / found.total()


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ours(program, training, weights, out, *words):
    rate = f"adam(rate=0.001*warmup(step, {WARM}))"
    return [program, "train", MODEL, "--data", f"text={training}", "--window", str(WINDOW), "--batch", str(BATCH), "--shuffle", "0", "--optimiser", rate,
            "--threads", "1", "--quiet", *(["--weights", weights] if weights else []), "--out", out, *words]


def theirs(training, weights, steps, test):
    return [sys.executable, REFERENCE, MODEL, weights, str(BATCH), f"0.001*min((step+1)/{WARM},1)", str(steps), training, test, str(WINDOW)]


def finish(process, began):
    said = process.communicate()[0]
    if process.returncode: sys.exit(f"{process.args[0]} failed")
    return said, time.monotonic() - began


def both(program, folder):
    """The held-out losses, here and in PyTorch, and that of frequencies."""
    training, test, steps = write_texts(folder)
    whole_batches(training, steps)
    start, end = (os.path.join(folder, name) for name in ("start.safetensors", "end.safetensors"))
    subprocess.run(ours(program, training, None, start, "--epochs", "0"), check=True, stdout=subprocess.DEVNULL)
    print(f"{steps} steps of {BATCH * (WINDOW - 1)} bytes; the loss of a model that knows frequencies alone is {frequencies(training, test):.3f}", flush=True)
    began = time.monotonic()
    sides = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ, OMP_NUM_THREADS="1"))
             for command in (ours(program, training, start, end, "--epochs", "1"), theirs(training, start, steps, test))]
    (_, took), (said, they_took) = (finish(side, began) for side in sides)
    found = output(program, "eval", MODEL, "--weights", end, "--data", f"text={test}", "--window", str(WINDOW))
    loss, their_loss = float(re.search(r"^loss = (\S+)", found, re.M)[1]), float(re.search(r"test (\S+),", said)[1])
    print(f"held out: {loss:.6f} here, {their_loss:.6f} in PyTorch: {100 * abs(loss / their_loss - 1):.4f} % apart ({took:.0f} s and {they_took:.0f} s)")
    return loss, their_loss, frequencies(training, test)


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder: loss, their_loss, known = both(os.path.abspath(sys.argv[1]), folder)
    if not abs(loss / their_loss - 1) <= FARTHEST: sys.exit(f"FAILED: the losses differ by more than {100 * FARTHEST:g} %")
    if not loss <= LEARNED * known: sys.exit(f"FAILED: it learned little: expected a loss of at most {LEARNED * known:.3f}")


if __name__ == "__main__": main()

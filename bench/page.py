#!/usr/bin/env python3
"""How long explain's page takes to make, and how large it is, for graphs of 10, 1,000 and 100,000 nodes: page.py PROGRAM. A chain,
x1 = sin(x0) + w, x2 = sin(x1) + w ..., and a net of layers. The least of three runs, and how much of it was Graphviz's (dot)."""
import os
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
# a `dot` before the real one on the path, that tells how long the real one took
DOT = """#!/bin/sh
export PATH="{path}"
start=$(date +%s%N)
dot "$@"
code=$?
echo $(($(date +%s%N) - start)) > "{folder}/took"
exit $code
"""


def chain(nodes):
    n = (nodes - 2) // 2
    return "param w: f64 = 0.5\nx0 = w\n" + "".join(f"x{i + 1} = sin(x{i}) + w\n" for i in range(n)) + f"loss = x{n}^2\n", []


def layers(nodes):
    n = max(1, nodes // 6)
    lines = "".join(f"z{i + 1} = dense(h{i}, 2)\nh{i + 1} = tanh(z{i + 1})\n" for i in range(n))
    return f"input x: f64[3, 2]\nh0 = 1*x\n{lines}loss = sum(h{n}^2)\n", ["x=[[1,2],[3,4],[5,6]]"]


def measure(folder, make, nodes):
    """Seconds, those of dot, and bytes."""
    path, page = os.path.join(folder, "model.cr"), os.path.join(folder, "page.html")
    text, given = make(nodes)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    environment, best = dict(os.environ, PATH=folder + os.pathsep + os.environ["PATH"]), None
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([PROGRAM, "explain", path, *given, "--html", page], check=True, env=environment)
        took = time.perf_counter() - start
        with open(os.path.join(folder, "took"), encoding="utf-8") as f:
            best = min(best or (took + 1, 0), (took, int(f.read()) / 1e9))
    return *best, os.path.getsize(page)


def main():
    print("graph             nodes   seconds   of it dot       KB")
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "dot"), "w", encoding="utf-8") as f:
            f.write(DOT.format(path=os.environ["PATH"], folder=folder))
        os.chmod(os.path.join(folder, "dot"), 0o755)
        for make in chain, layers:
            for nodes in 10, 1000, 100_000:
                seconds, dot, size = measure(folder, make, nodes)
                print(f"{make.__name__:12} {nodes:10,} {seconds:9.2f} {dot:11.3f} {size / 1000:8.0f}", flush=True)
                assert size < 5_000_000, size


main()

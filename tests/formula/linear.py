#!/usr/bin/env python3
"""Instructions (counted by valgrind) to read and build models of n and 2n statements: linear.py PROGRAM. Twice the text is to cost
at most 2.3 times as much beyond what an empty model costs; anything quadratic costs 4 times."""
import os
import re
import subprocess
import sys
import tempfile

SMALL = 1000
MODELS = {
    "names": lambda n: "x0 = w*1\n" + "".join(f"x{i + 1} = x{i}*{i}.5 + w\n" for i in range(n)),
    "one line": lambda n: "w" + "".join(f" + w*{i}.5" for i in range(n)),
    "one node again and again": lambda n: "w" + " + w^2" * n,
    "undeclared names": lambda n: "w + " + " + ".join(f"w{i}" for i in range(n)),
    "aliases": lambda n: "".join(f"a{i} = w\n" for i in range(n)) + "a1*w",
    "functions": lambda n: "".join(f"fn g{i}(x) = x + {i}\n" for i in range(n)) + "+".join(f"g{i}(w)" for i in range(n)),
    "layers": lambda n: "".join(f"h{i} = dense(w[None, None], 1)\n" for i in range(n // 4)) + "sum(h0)",
    "declarations": lambda n: "".join(f"input x{i}: f64[3, {i + 1}]\n" for i in range(n)) + "input w: f64\nw",
}


def instructions(program, text, folder):
    path = os.path.join(folder, "model.cr")
    open(path, "w", encoding="utf-8").write(text)
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, "diff", path, "--wrt", "w"],
                          capture_output=True, text=True, timeout=500)
    if done.returncode:
        sys.exit(done.stdout[-300:] + done.stderr[-1000:])
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        nothing = instructions(sys.argv[1], "w", folder)
        for name, model in MODELS.items():
            small, large = (instructions(sys.argv[1], model(n), folder) - nothing for n in (SMALL, 2 * SMALL))
            print(f"{name}: {small / SMALL:.0f} instructions a statement, {large / small:.2f} times as many for twice the text")
            failed += large > 2.3 * small
    return 1 if failed else 0


sys.exit(main())

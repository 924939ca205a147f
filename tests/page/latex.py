#!/usr/bin/env python3
"""`chainrule explain --latex` set by pdflatex: latex.py PROGRAM. The document compiles, and no line runs over the edge of the paper."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from page import LOSS, MLP, MLP_DATA, POINTS, PROGRAM, every_op, model, model_of  # noqa: E402

NAN = ["r = w*x - 3; l = log(r); loss = (l - y)^2 + 0.01*w^2", "w=1", "x=1", "y=2"]


def compiles(folder, arguments):
    text = subprocess.run([PROGRAM, "explain", *arguments, "--latex"], check=True, cwd=folder, capture_output=True, text=True).stdout
    with open(os.path.join(folder, "a.tex"), "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"], cwd=folder, capture_output=True, text=True, errors="replace")
    wrong = [line for line in done.stdout.splitlines() if line.startswith(("!", "Overfull"))]
    assert done.returncode == 0 and not wrong, f"{arguments}: {wrong}"


def main():
    given = [f"{k}={json.dumps(v)}" for k, v in POINTS[0].items()] + ["i=[3,0,3]", "j=[5,1,2]"]
    with tempfile.TemporaryDirectory() as folder:
        for arguments in LOSS, [model(folder, MLP), *MLP_DATA], NAN:
            compiles(folder, arguments)
        ops = every_op()
        for first in range(0, len(ops), 40):
            compiles(folder, [model(folder, model_of(ops[first:first + 40]), f"ops{first}.cr"), *given])
    return 0


sys.exit(main())

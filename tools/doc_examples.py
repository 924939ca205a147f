#!/usr/bin/env python3
"""Compiles and runs the examples of a document: doc_examples.py --program P --include DIR --library L --cc CC FILE.md
[--flags for the compiler]

    ```c        a block with main() is compiled; a ```text block right behind it is what it prints
    ```sh       lines that start with `$ ` and a chainrule command are run in the folder of the examples, the lines
                behind each are what it prints
Other blocks are left alone."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

a = argparse.ArgumentParser()
a.add_argument("--program")
a.add_argument("--include", action="append", default=[])
a.add_argument("--library")
a.add_argument("--cc")
a.add_argument("--flags", default="")
a.add_argument("file")
o = a.parse_args()
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
library = os.path.dirname(os.path.abspath(o.library))
env = dict(os.environ, PATH=os.path.dirname(os.path.abspath(o.program)) + os.pathsep + os.environ["PATH"], LC_ALL="C.UTF-8",
           LD_LIBRARY_PATH=library)
failed = 0


def differ(what, expected, found):
    global failed
    if expected.strip() != found.strip():
        failed += 1
        print(f"{o.file}: {what}\n--- expected\n{expected}--- found\n{found}")


def run_c(source, expected, folder):
    path, binary = os.path.join(folder, "example.c"), os.path.join(folder, "example")
    open(path, "w", encoding="utf-8").write(source)
    command = [o.cc, "-std=c99", "-Wall", "-Wextra", "-Werror", path, "-o", binary] + o.flags.split()
    command += [f"-I{i}" for i in o.include] + [f"-L{library}", "-lchainrule", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return differ("does not compile", "", done.stderr + source)
    found = subprocess.run([binary], cwd=os.path.join(root, "examples"), env=env, capture_output=True, text=True, timeout=300)
    if expected is not None:
        differ("C example", expected, found.stdout + found.stderr)


def run_sh(text, folder):
    command, expected = None, ""
    for line in text.splitlines(True) + ["$ "]:
        if line.startswith("$ "):
            if command and command.startswith("chainrule"):
                done = subprocess.run(["sh", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, timeout=300)
                if expected.strip() != "...":
                    differ(f"$ {command}", expected, done.stdout)
            command, expected = line[2:].strip(), ""
        else:
            expected += line


blocks = re.findall(r"^```(\w*)\n(.*?)^```\n(?:\s*^```text\n(.*?)^```\n)?", open(o.file, encoding="utf-8").read(), re.M | re.S)
with tempfile.TemporaryDirectory() as folder:
    for name in os.listdir(os.path.join(root, "examples")):
        if name.endswith((".cr", ".csv")):
            os.symlink(os.path.join(root, "examples", name), os.path.join(folder, name))
    for language, body, text in blocks:
        if language == "c" and "int main" in body:
            run_c(body, text or None, folder)
        elif language == "sh":
            run_sh(body, folder)
sys.exit(1 if failed else 0)

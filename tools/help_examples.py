#!/usr/bin/env python3
"""Runs every example that `chainrule help VERB` shows: help_examples.py PROGRAM FOLDER

In an empty folder with the files of FOLDER (norris.cr, norris.csv, xor.cr) and b.npy, two numbers; each must end with exit code 0. A verb without an
example is a mistake, but for `version`."""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile


def write_npy(path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + struct.pack("<2d", 3, 4))


def main():
    program, examples = os.path.abspath(sys.argv[1]), sys.argv[2]
    env = dict(os.environ, PATH=os.path.dirname(program) + os.pathsep + os.environ["PATH"])
    overview = subprocess.run([program, "help"], check=True, capture_output=True, text=True).stdout
    ran = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        write_npy(os.path.join(folder, "b.npy"))
        for name in ("norris.cr", "norris.csv", "xor.cr"):
            shutil.copy(os.path.join(examples, name), folder)
        for verb in re.findall(r"^  chainrule (\w+)", overview, re.M):
            said = subprocess.run([program, "help", verb], check=True, capture_output=True, text=True).stdout
            lines = re.findall(r"^  (chainrule .*)$", said.partition("\nExamples:\n")[2], re.M)
            if not lines and verb != "version":
                failed += 1
                print(f"{verb} has no example")
            for line in lines:
                done = subprocess.run(["sh", "-c", line], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
                ran += 1
                if done.returncode:
                    failed += 1
                    print(f"$ {line}\n{done.stderr}? {done.returncode}")
    print(f"{ran} examples, {failed} wrong")
    return 1 if failed or not ran else 0


sys.exit(main())

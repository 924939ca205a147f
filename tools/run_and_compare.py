#!/usr/bin/env python3
"""Runs a program and compares what it prints with a file: run_and_compare.py PROGRAM [EXPECTED]."""
import difflib
import os
import subprocess
import sys

run = subprocess.run([sys.argv[1]], capture_output=True, text=True, timeout=600)
if run.returncode:
    sys.exit(f"exit code {run.returncode}\n{run.stdout}{run.stderr}")
if len(sys.argv) > 2 and os.path.exists(sys.argv[2]):
    expected = open(sys.argv[2], encoding="utf-8").read()
    if expected != run.stdout:
        sys.stdout.writelines(difflib.unified_diff(expected.splitlines(1), run.stdout.splitlines(1), "expected", "found"))
        sys.exit(1)

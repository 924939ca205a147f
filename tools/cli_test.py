#!/usr/bin/env python3
"""Runs the commands of a .test file and compares: cli_test.py PROGRAM FILE.test

A file is a list of commands with what they must print, both streams together:

    $ chainrule grad '(w*x - y)^2' w=1 x=1 y=2
    value 1
    ? 0

`$ ` starts a command (run by sh, in an empty folder, where `chainrule` is the program and $EXAMPLES and $DATA name the folders
of the examples and of the test data). The lines up to the next one are its output; a line `...` stands for any lines. `? n` is the
exit code, 0 when left out. `# ` at the start of a line is a comment. --update rewrites the file with what was found."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def cases(lines):
    current = None
    for line in lines:
        if line.startswith("$ "):
            if current:
                yield current
            current = {"command": line[2:].rstrip("\n"), "expected": [], "code": 0, "before": []}
        elif line.startswith("# ") and current is None:
            continue
        elif line.startswith("? ") and current:
            current["code"] = int(line[2:])
        elif current:
            current["expected"].append(line)
    if current:
        yield current


def matches(expected, found):
    pattern = "".join(r"(?:.*\n)*" if line.strip() == "..." else re.escape(line) for line in expected)
    return re.fullmatch(pattern, found) is not None


def run(case, program, folder):
    root = os.path.dirname(HERE)
    env = dict(os.environ, PATH=os.path.dirname(program) + os.pathsep + os.environ["PATH"], LC_ALL="C.UTF-8",
               EXAMPLES=os.path.join(root, "examples"), DATA=os.path.join(root, "tests", "data"))
    done = subprocess.run(["sh", "-c", case["command"]], cwd=folder, env=env, stdin=subprocess.DEVNULL, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main():
    program, path = os.path.abspath(sys.argv[1]), sys.argv[2]
    update = "--update" in sys.argv
    lines = open(path, encoding="utf-8").readlines()
    failed, new = 0, [line for line in lines[:next((i for i, l in enumerate(lines) if l.startswith("$ ")), 0)]]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(lines):
            while case["expected"] and not case["expected"][-1].strip():
                case["expected"].pop()
            code, found = run(case, program, folder)
            new += [f"$ {case['command']}\n", found if found.endswith("\n") or not found else found + "\n"]
            new += [f"? {code}\n"] if code else []
            new += ["\n"]
            if code != case["code"] or not matches(case["expected"], found):
                failed += 1
                print(f"$ {case['command']}\n--- expected (exit {case['code']})\n{''.join(case['expected'])}--- found (exit {code})\n{found}")
    if update:
        open(path, "w", encoding="utf-8").write("".join(new).rstrip("\n") + "\n")
        return 0
    return 1 if failed else 0


sys.exit(main())

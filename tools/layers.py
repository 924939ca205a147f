#!/usr/bin/env python3
"""A room may include what stands before it, never after; the command line includes the public header alone. Tables (*.def) are
data that every room may read. Warns of files of src longer than 600 lines."""
import pathlib
import re
import sys

ORDER = [["base"], ["tensor"], ["graph"], ["ops"], ["grad", "formula", "rewrite"], ["plan"], ["loop"], ["emit"], ["device"],
         ["run"], ["train", "file", "explain"], ["report"]]
RANK = {room: i for i, group in enumerate(ORDER) for room in group}
MOST_LINES = 600
root = pathlib.Path(__file__).resolve().parent.parent


def includes(pattern):
    """(room or folder, what it includes, "file:line") of every #include "..." in the files of a pattern."""
    for path in sorted(root.glob(pattern)):
        name = path.relative_to(root)
        lines = path.read_text(encoding="utf-8").splitlines()
        if name.parts[0] == "src" and len(lines) > MOST_LINES:
            print(f"warning: {name}: {len(lines)} lines, more than {MOST_LINES}")
        for number, line in enumerate(lines, 1):
            found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if found:
                yield name.parts[1], found[1], f"{name}:{number}"


wrong = []
for room, file, place in includes("src/**/*.[chi]*"):
    other = file.split("/")[0]
    if file == "chainrule.h" or file.endswith(".def"):
        continue
    if room not in RANK:
        wrong.append(f"{place}: src/{room} is no room of tools/layers.py")
    elif other not in RANK:
        wrong.append(f'{place}: "{file}" is not written as "room/file.h"')
    elif other != room and RANK[other] >= RANK[room]:
        wrong.append(f"{place}: {room} may not include {other}")
for _, file, place in includes("bench/gradbench/*.[ch]"):
    if not (root / "bench/gradbench" / file).exists():
        wrong.append(f"{place}: GradBench's evals are written over the public header, <chainrule.h>, alone")
for _, file, place in includes("cli/**/*.[ch]"):
    if file != "chainrule.h" and not (root / "cli" / file).exists():
        wrong.append(f"{place}: the command line includes chainrule.h alone, not {file}")
print("\n".join(wrong) or "layers hold")
sys.exit(1 if wrong else 0)

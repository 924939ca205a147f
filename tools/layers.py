#!/usr/bin/env python3
"""A room may include what stands before it, never after; the command line includes the public header alone. Tables (*.def)
are data that every room may read. Also: no file of src longer than 600 lines."""
import pathlib
import re
import sys

ORDER = [["base"], ["tensor"], ["graph"], ["ops"], ["grad", "formula", "rewrite"], ["plan"], ["loop"], ["emit"], ["device"],
         ["run"], ["train", "file", "explain"]]
RANK = {room: i for i, group in enumerate(ORDER) for room in group}
root = pathlib.Path(__file__).resolve().parent.parent
wrong = []
for path in sorted(root.glob("src/**/*.[chi]*")):
    room = path.relative_to(root / "src").parts[0]
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) > 600:
        wrong.append(f"{path.relative_to(root)}: {len(lines)} lines, more than 600")
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s+"([a-z]+)/(\S+)"', line)
        if not found or found[2].endswith(".def"):
            continue
        other = found[1]
        if other not in RANK or (other != room and RANK[other] >= RANK[room]):
            wrong.append(f"{path.relative_to(root)}:{number}: {room} may not include {other}")
for path in sorted(root.glob("cli/*.[ch]")):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+"(\S+)"', line)
        if found and found[1] != "chainrule.h" and not (root / "cli" / found[1]).exists():
            wrong.append(f"{path.relative_to(root)}:{number}: the command line includes chainrule.h alone, not {found[1]}")
print("\n".join(wrong) or "layers hold")
sys.exit(1 if wrong else 0)

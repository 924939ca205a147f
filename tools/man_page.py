#!/usr/bin/env python3
"""The verbs' part of the manual page, from what `chainrule help VERB` says: man_page.py PROGRAM man/chainrule.1 [--update]

What stands between the two marks in the page is made here; the rest is written by hand. Without --update: exit 1 if they differ."""
import re
import subprocess
import sys

BEGIN, END = '.\\" The verbs: made by tools/man_page.py from what `chainrule help` says.\n', '.\\" The end of the verbs.\n'


def text(s):
    """As roff shows it: no hyphenation of options, no line taken for a request."""
    s = s.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + s if s[:1] in (".", "'") else s


def said(program, *words):
    return subprocess.run([program, "help", *words], check=True, capture_output=True, text=True).stdout


def verbs(program):
    return re.findall(r"^  chainrule (\w+)", said(program), re.M)


def section(program, verb):
    lines = said(program, verb).splitlines()
    operands = lines[0].partition(verb)[2].strip()
    out = [f".SS {verb}\n", f".B chainrule {text(lines[0].split()[1])}\n", f".RI \"{text(operands)}\"\n" if operands else "",
           ".PP\n", text(lines[1].strip()) + ".\n"]
    part = None
    for line in lines[2:]:
        if line in ("Options:", "Methods:", "Optimisers:", "Examples:"):
            out += [".fi\n"] if part not in (None, "Options:") else []
            part = line
            out += [f".PP\n{line}\n.PP\n.nf\n"] if line != "Options:" else []
        elif part == "Options:" and line.startswith("  --"):
            name, _, value = line.strip().partition(" ")
            out += [".TP\n", f".BR {text(name)}" + (f' " \\fI{value}\\fP"' if value else "") + "\n"]
        elif part == "Options:" and line.strip():
            out += [text(line.strip()) + "\n"]
        elif part and line.strip():
            out += [text(line.strip()) + "\n"]
    return "".join(out) + (".fi\n" if part not in (None, "Options:") else "")


def main():
    program, path = sys.argv[1:3]
    page = open(path, encoding="utf-8").read()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = before + BEGIN + "".join(section(program, v) for v in verbs(program)) + END + after
    if "--update" in sys.argv:
        open(path, "w", encoding="utf-8").write(made)
    elif made != page:
        print(f"{path} is not what `help` says: tools/man_page.py PROGRAM {path} --update")
        return 1
    return 0


sys.exit(main())

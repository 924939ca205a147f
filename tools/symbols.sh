#!/bin/sh
# Compares the symbols that a shared library exports with tests/symbols.txt, and with the functions that the public header declares:
# symbols.sh LIBRARY [--update]
# A symbol that is gone breaks programs already built: that asks for another soname. A new one is a promise.
set -eu
root=$(dirname "$0")/..
list=$root/tests/symbols.txt
found=$(mktemp) declared=$(mktemp)
trap 'rm -f "$found" "$declared"' EXIT
nm -D --defined-only "$1" | awk '{print $3}' | LC_ALL=C sort >"$found"
if [ "${2:-}" = --update ]; then cp "$found" "$list"; fi
diff "$list" "$found"
cat "$root/include/chainrule.h" "$(dirname "$1")/include/chainrule_ops.h" | tr '\n' ' ' | grep -o 'CR_API [^;(]*(' | grep -o 'cr_[a-z0-9_]*(' | tr -d '(' |
    LC_ALL=C sort >"$declared"
diff "$declared" "$found"

#!/bin/sh
# Compares the symbols that a shared library exports with tests/symbols.txt: symbols.sh LIBRARY [--update]
# A symbol that is gone breaks programs already built: that asks for another soname. A new one is a promise.
set -eu
list=$(dirname "$0")/../tests/symbols.txt
found=$(mktemp)
trap 'rm -f "$found"' EXIT
nm -D --defined-only "$1" | awk '{print $3}' | LC_ALL=C sort >"$found"
if [ "${2:-}" = --update ]; then cp "$found" "$list"; fi
diff "$list" "$found"

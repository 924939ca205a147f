#!/bin/sh
# Compares the symbols a library exports with tests/symbols.txt: symbols.sh LIBRARY [--update]
set -eu
cd "$(dirname "$0")/.."
nm -D --defined-only "$1" | awk '{print $3}' | sort >"$1.symbols"
if [ "${2:-}" = --update ]; then cp "$1.symbols" tests/symbols.txt; fi
diff tests/symbols.txt "$1.symbols"

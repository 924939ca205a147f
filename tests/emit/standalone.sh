#!/bin/sh
# The emitted example, built without the library: standalone.sh PROGRAM EXAMPLES CC
set -eu
program=$1 examples=$2 cc=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$examples/xor.cr" "$examples/emitted/main.c" "$scratch"
cd "$scratch"
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out xor_step.c
$cc -std=c99 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror main.c xor_step.c -o emitted -lm
[ "$(./emitted)" = "loss below 0.01 after 500 steps" ]
grep -q malloc xor_step.c && { echo "it allocates"; exit 1; }
mkdir again
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out again/xor_step.c
cmp again/xor_step.c xor_step.c # the same bytes each time

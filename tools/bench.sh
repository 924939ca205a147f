#!/bin/sh
# Runs the benchmarks of a build: bench.sh BUILD
set -eu
for round in 1 2 3; do
    echo "== round $round"
    "$1/bench_worked"
    for batch in 128 1; do
        for threads in 1 2; do "$1/bench_mlp" $batch $threads; done
    done
done

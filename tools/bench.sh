#!/bin/sh
# Runs the benchmarks of a build beside their peers: bench.sh BUILD [option of bench/run.py ..]
# The peers are installed into the build's folder; one that can't be had is left out, and the report says so.
set -eu
build=$1
shift
cd "$(dirname "$0")/.."
gradbench=
[ -d "${PEERS:-}/gradbench" ] && gradbench=gradbench
bench/peers/setup.sh "$build/peers" jax casadi $gradbench || echo "The peers could not be installed: they are not measured."
exec python3 bench/run.py --build "$build" --peers "$build/peers" ${PEERS:+--built-peers "$PEERS"} "$@"

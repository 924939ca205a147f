#!/bin/sh
# Everything about GradBench: run.sh BUILD PEERS [EVAL ..]. BUILD has gradbench_chainrule (-DCR_BENCH=ON) and gets the peers of bench/peers/setup.sh
# with what GradBench's programs import; PEERS/gradbench is a checkout of github.com/gradbench/gradbench. Its C++ tools want nlohmann's
# json.hpp (Debian's nlohmann-json3-dev, or `make -C cpp`); those that are built (tools/NAME/bin) are asked too. Every entry is compared with PyTorch and closed forms,
# and then GradBench's programs judge every answer, with the tools asked in turns. Ends with 1 if anything was wrong.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) peers=$(cd "$2" && pwd)
shift 2
"$here/../peers/setup.sh" "$build/peers" jax
python=$build/peers/bin/python
"$python" -c 'import numpy, scipy, pydantic, dataclasses_json' 2>/dev/null ||
    "$python" -m pip install --quiet numpy scipy pydantic dataclasses-json

[ -e "$peers/gradbench/cpp/json.hpp" ] || cp /usr/include/nlohmann/json.hpp "$peers/gradbench/cpp/"
"$python" "$here/text.py" "$peers"

"$python" "$here/run.py" compare --adapter "$build/gradbench_chainrule" "$@"
"$python" "$here/run.py" accept --adapter "$build/gradbench_chainrule" --gradbench "$peers/gradbench" --compile cc "$@" \
    --beside manual codipack adol-c adept cppad tapenade pytorch jax

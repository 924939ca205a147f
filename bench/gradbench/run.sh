#!/bin/sh
# Everything about GradBench: run.sh BUILD GRADBENCH [EVAL ..]. BUILD has gradbench_chainrule (-DCR_BENCH=ON) and gets the peers of bench/peers/setup.sh
# with what GradBench's programs import; GRADBENCH is a checkout of github.com/gradbench/gradbench, where its C++ tool `manual` is
# built if need be (it wants nlohmann's json.hpp: Debian's nlohmann-json3-dev, or `make -C cpp`). Then its programs judge every answer, and
# every entry is compared with PyTorch and closed forms. Ends with 1 if anything was wrong.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) gradbench=$(cd "$2" && pwd)
shift 2
"$here/../peers/setup.sh" "$build/peers" gradbench
python=$build/peers/bin/python

[ -e "$gradbench/cpp/json.hpp" ] || cp /usr/include/nlohmann/json.hpp "$gradbench/cpp/"
make -s -C "$gradbench/tools/manual"

"$python" "$here/run.py" compare --adapter "$build/gradbench_chainrule" "$@"
"$python" "$here/run.py" accept --adapter "$build/gradbench_chainrule" --gradbench "$gradbench" --beside manual "$@"

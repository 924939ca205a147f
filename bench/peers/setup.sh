#!/bin/sh
# Installs the peers that the benchmarks and `make check-peers` compare with: bench/peers/setup.sh FOLDER [jax] [casadi] [gradbench]. FOLDER is a virtual
# environment; PyTorch is always in it. Needs python3 with venv, cc and binutils; PyTorch takes about 0.6 GB of download and 1.3 GB of disk.
#
# PyTorch's package for Linux depends on about 2 GB of CUDA libraries and on Triton, which the CPU needs none of, but it does
# not load without the former. So its dependencies are left out but for the small ones in Python, and cuda_stubs.py makes the
# libraries it is linked with, empty. torch.compile works too: on the CPU it needs a C++ compiler, not Triton.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
peers=$1
shift
torch=2.15.0 jax=0.10.2 casadi=3.8.2 # the newest when the figures in the repository were measured

has() { "$peers/bin/python" -c "import $1, sys; sys.exit($1.__version__.split('+')[0] != '$2')" 2>/dev/null; }
install() { "$peers/bin/python" -m pip install --quiet "$@"; }
[ -x "$peers/bin/python" ] || python3 -m venv "$peers"
if ! { has torch "$torch" && "$peers/bin/python" -c 'import expecttest' 2>/dev/null; }; then
    install filelock 'typing-extensions>=4.13' 'sympy>=1.13.3' networkx jinja2 fsspec numpy expecttest # the last for PyTorch's own samples
    install --no-deps "torch==$torch"
    lib=$("$peers/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")/torch/lib
    "$peers/bin/python" "$here/cuda_stubs.py" "$lib"
fi
"$peers/bin/python" -c "import torch; print('PyTorch', torch.__version__, 'works:', float(torch.ones(3) @ torch.ones(3)) == 3)"
for peer; do
    if [ "$peer" = gradbench ]; then # what its programs import
        "$peers/bin/python" -c 'import numpy, scipy, pydantic, dataclasses_json' 2>/dev/null || install numpy scipy pydantic dataclasses-json
        continue
    fi
    eval "version=\$$peer"
    has "$peer" "$version" || install "$peer==$version" || echo "$peer could not be installed: it is not measured."
done

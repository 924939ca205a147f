#!/bin/sh
# Installs the peers that the benchmarks and `make check-peers` compare with: bench/peers/setup.sh FOLDER, a virtual environment. Needs python3 with venv, cc and binutils; takes about 0.6 GB of download and 1.3 GB of disk.
#
# PyTorch's package for Linux depends on about 2 GB of CUDA libraries and on Triton, which the CPU needs none of, but it does
# not load without the former. So its dependencies are left out but for the small ones in Python, and cuda_stubs.py makes the
# libraries it is linked with, empty. torch.compile works too: on the CPU it needs a C++ compiler, not Triton.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
peers=$1
torch=2.15.0 # the newest when the figures in the repository were measured

[ -x "$peers/bin/python" ] || python3 -m venv "$peers"
if ! "$peers/bin/python" -c "import torch, expecttest, sys; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; then
    "$peers/bin/python" -m pip install --quiet filelock 'typing-extensions>=4.13' 'sympy>=1.13.3' networkx jinja2 fsspec numpy expecttest # the last for PyTorch's own samples
    "$peers/bin/python" -m pip install --quiet --no-deps "torch==$torch"
    lib=$("$peers/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")/torch/lib
    "$peers/bin/python" "$here/cuda_stubs.py" "$lib"
fi
"$peers/bin/python" -c "import torch; print('PyTorch', torch.__version__, 'works:', float(torch.ones(3) @ torch.ones(3)) == 3)"

"""GradBench's program for JAX, which waits for what it times: jax_waits.py RUN, its run.py, whose modules stop their clock when the work
has been handed to another thread. In doubles, which its module of ode does not ask for."""
import os
import runpy
import sys

import jax
from gradbench import wrap


def waiting(decorator):
    return lambda **how: lambda function: decorator(**how)(lambda x: jax.block_until_ready(function(x)))


jax.config.update("jax_enable_x64", True)
wrap.function, wrap.multiple_runs = waiting(wrap.function), waiting(wrap.multiple_runs)
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")

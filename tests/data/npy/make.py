#!/usr/bin/env python3
"""The npy files of this directory, as NumPy writes them (made with NumPy 2.4.6). The numbers of an array of n elements are
0, 1, 2 ... in row-major order where nothing else is said."""
import pathlib

import numpy as np
from numpy.lib import format as npy

here = pathlib.Path(__file__).resolve().parent


def save(name, array, version=None):
    with open(here / f"{name}.npy", "wb") as file:
        npy.write_array(file, array, version=version, allow_pickle=True)


count = np.arange(6).reshape(2, 3)
for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
    save(f"little_{dtype}", count.astype("<" + dtype))
    save(f"big_{dtype}", count.astype(">" + dtype))
save("bool", count % 2 == 1)
save("fortran", np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)))
save("fortran_big_i2", np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(">i2")))
save("version2", count.astype("f8"), (2, 0))
save("version3", count.astype("f8"), (3, 0))
save("scalar", np.array(2.5))
save("empty", np.zeros((0, 3), "f4"))
save("rank16", np.arange(2.0).reshape((1,) * 15 + (2,)))
save("rank17", np.arange(2.0).reshape((1,) * 16 + (2,)))
save("extremes_i1", np.array([-128, 127], "i1"))
save("extremes_i8", np.array([-(2**63), 2**63 - 1], "i8"))
save("extremes_u4", np.array([0, 2**32 - 1], "u4"))
save("beyond_i64", np.array([1, 2**63 - 1, 2**63], "u8"))
save("special", np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]))
save("objects", np.array([1, None], object))
save("structured", np.zeros(2, [("a", "i4"), ("b", "f8")]))
save("complex", np.zeros(2, complex))
save("text", np.array(["ab", "c"]))
save("dates", np.array(["2020-01-01"], "M8[D]"))
np.savez(here / "archive.npz", a=count)

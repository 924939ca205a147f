#!/usr/bin/env python3
"""Makes the files beside it by others' programs: pip install numpy safetensors; ./make.py"""
import gzip
import pathlib
import struct

import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
save_file({"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(2.5), "none": np.zeros((0, 4), np.float16),
           "bytes": np.arange(250, 256, dtype=np.uint8), "short": np.array([-3, 3], np.int16), "long": np.array([2**40, -1], np.int64),
           "yes": np.array([True, False])}, here / "all.safetensors", metadata={"format": "np", "who": "safetensors"})
images = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 2, 3) + bytes(range(12))
(here / "images.idx").write_bytes(images)
(here / "images.idx.gz").write_bytes(gzip.compress(images, mtime=0))
(here / "two.gz").write_bytes(gzip.compress(images[:9], mtime=0) + gzip.compress(images[9:], mtime=0))
(here / "doubles.idx").write_bytes(struct.pack(">BBBBI2d", 0, 0, 14, 1, 2, 0.1, -1e300))
(here / "shorts.idx").write_bytes(struct.pack(">BBBBI2h", 0, 0, 11, 1, 2, -2, 300))

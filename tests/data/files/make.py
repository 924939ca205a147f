#!/usr/bin/env python3
"""Makes the files beside it by others' programs: pip install numpy safetensors; ./make.py"""
import gzip
import pathlib
import struct
import zlib

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
arrays = {"x": np.arange(10.0).reshape(2, 5), "y": np.array([1, 2, 3]), "scalar": np.float32(2.5)}
np.savez(here / "stored.npz", **arrays)
np.savez_compressed(here / "deflated.npz", **arrays)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, width, height, bits, colour, rows, *more):
    """rows: the bytes of each; colour as PNG's header has it."""
    (here / name).parent.mkdir(parents=True, exist_ok=True)
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    (here / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


png("grey.png", 3, 2, 8, 0, [[0, 50, 100], [150, 200, 250]])
png("colour.png", 2, 1, 8, 2, [[10, 20, 30, 40, 50, 60]])
png("bits.png", 4, 1, 1, 0, [[0b10010000]])
png("palette.png", 2, 1, 8, 3, [[1, 0]], chunk(b"PLTE", bytes([7, 0, 0, 255, 255, 255])))
png("alpha.png", 2, 1, 8, 4, [[200, 255, 99, 0]])
png("folder/cat/b.png", 2, 1, 8, 0, [[1, 2]])
png("folder/cat/a.png", 2, 1, 8, 0, [[3, 4]])
png("folder/dog/1.png", 2, 1, 8, 0, [[5, 6]])

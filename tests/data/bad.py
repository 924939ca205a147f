"""Writes files that are not what they should be: bad.py STATEMENTS, in the functions below."""
import json
import os
import struct
import sys
import zipfile
import zlib


def st(name, header, data=b'', length=None):
    h = header if isinstance(header, bytes) else json.dumps(header).encode()
    open(name, 'wb').write(struct.pack('<Q', len(h) if length is None else length) + h + data)


def npy(dtype, shape, data=b'', order=False):
    h = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b'\x93NUMPY\1\0' + struct.pack('<H', len(h)) + h + data


def idx(dims, data):
    return bytes([0, 0, 8, len(dims)]) + b''.join(struct.pack('>I', d) for d in dims) + data


def chunk(t, d):
    return struct.pack('>I', len(d)) + t + d + struct.pack('>I', zlib.crc32(t + d))


def png(w, h, bits=8, claim=None):
    raw = b''.join(b'\0' + bytes(range(w * bits // 8)) for y in range(h))
    W, H = claim or (w, h)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', W, H, bits, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b'')


def write(name, data):
    os.makedirs(os.path.dirname(name) or '.', exist_ok=True)
    open(name, 'wb').write(data)


def tensor(a, b, shape=(1,), dtype='F32'):
    return {'dtype': dtype, 'shape': list(shape), 'data_offsets': [a, b]}


def npz(name, members, kind=0):
    with zipfile.ZipFile(name, 'w', kind) as z:
        for m, d in members:
            z.writestr(m, d)


exec(sys.argv[1])
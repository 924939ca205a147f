#!/usr/bin/env python3
"""Stands in for the CUDA libraries that PyTorch's packaged wheel is linked with: cuda_stubs.py TORCH_LIB_FOLDER

The wheel will not load without a dozen CUDA libraries (about 2 GB) although the CPU calls none of them.
This reads which symbols of them the wheel's libraries want and writes, beside them, one tiny library for each,
whose every function returns 100, CUDA's "no device" (cudaErrorNoDevice). PyTorch then finds no GPU
and works on the CPU. Needs cc and binutils.
"""
import collections
import glob
import os
import re
import subprocess
import sys

CUDA = re.compile(r"lib(cu|nv|nccl)")
FUNCTION = re.compile(r"(cu|nv|nccl|__cuda)\w*$")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wanted(libraries):
    """{soname: {version: {symbol, ..}}}; symbols without a version go to the first soname."""
    stubs = collections.defaultdict(lambda: collections.defaultdict(set))
    owner, loose = {}, set()
    for library in libraries:
        for soname in re.findall(r"NEEDED.*\[(.*?)\]", output("readelf", "-dW", library)):
            if CUDA.match(soname): stubs[soname]
        file = None
        for line in output("readelf", "-VW", library).splitlines():
            if m := re.search(r"File: (\S+)", line): file = m[1]
            elif (m := re.search(r"Name: (\S+)", line)) and CUDA.match(file or ""): owner[m[1]] = file
        for line in output("nm", "-D", "--undefined-only", library).splitlines():
            name, _, version = line.split()[-1].partition("@")
            if version in owner: stubs[owner[version]][version].add(name)
            elif not version and FUNCTION.match(name): loose.add(name)
    stubs[min(stubs)][""] |= loose
    return stubs


def build(folder, soname, versions):
    source = "".join(f"int {n}(void);\nint {n}(void) {{ return 100; }}\n"
                     for names in versions.values() for n in sorted(names))
    script = os.path.join(folder, soname + ".map")
    with open(script, "w") as f:
        for version, names in versions.items():
            if version and names: f.write(f"{version} {{ {' '.join(n + ';' for n in sorted(names))} }};\n")
    flags = [f"-Wl,--version-script={script}"] if os.path.getsize(script) else []
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-fno-builtin", f"-Wl,-soname,{soname}", *flags, "-x", "c", "-",
                    "-o", os.path.join(folder, soname)], input=source, text=True, check=True)
    os.remove(script)


def main():
    folder = sys.argv[1]
    libraries = [p for p in glob.glob(os.path.join(folder, "*.so")) if not CUDA.match(os.path.basename(p))]
    present = set(os.listdir(folder))
    for soname, versions in wanted(libraries).items():
        if soname not in present: build(folder, soname, versions)


main()

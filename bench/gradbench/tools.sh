#!/bin/sh
# Builds those of GradBench's C++ tools that it can: tools.sh PEERS, a folder with checkouts gradbench/ and, of github.com, as far as they are there,
# SciCompKL/CoDiPack as CoDiPack/, rjhogan/Adept-2 as Adept/ and coin-or/CppAD as CppAD/ (they go into PEERS/prefix); ADOL-C is Debian's
# libadolc-dev; of Tapenade the C that it made is in GradBench. Adept wants autoconf, automake and libtool. What is not there, or
# built before, is passed over.
set -eu
peers=$(cd "$1" && pwd) prefix=$(cd "$1" && pwd)/prefix
export CPATH="$peers/CoDiPack/include:$prefix/include" LIBRARY_PATH="$prefix/lib" LD_RUN_PATH="$prefix/lib"
export PKG_CONFIG_PATH="$prefix/share/pkgconfig:$prefix/lib/pkgconfig"

if [ -d "$peers/Adept" ] && [ ! -e "$prefix/include/adept.h" ]; then
    (cd "$peers/Adept" && autoreconf -i && ./configure --prefix="$prefix" && make -C adept install && make -C include install) >/dev/null 2>&1 || echo "Adept could not be built."
fi
if [ -d "$peers/CppAD" ] && [ ! -d "$prefix/include/cppad" ]; then
    (cmake -S "$peers/CppAD" -B "$peers/CppAD/build" -Dcppad_prefix="$prefix" && make -C "$peers/CppAD/build" install) >/dev/null 2>&1 || echo "CppAD could not be built."
fi

build() {
    make -s -k -C "$peers/gradbench/tools/$1" >/dev/null 2>&1 || echo "Not all of $1 could be built."
}
build manual
build tapenade
[ ! -d "$peers/CoDiPack" ] || build codipack
[ ! -e /usr/include/adolc/adolc.h ] || build adol-c
[ ! -e "$prefix/include/adept.h" ] || build adept
[ ! -d "$prefix/include/cppad" ] || build cppad

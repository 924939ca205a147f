#!/bin/sh
# Installs what is missing for `make demo` (build) or `make check` (build and tests): bootstrap.sh build|check
# Nothing is touched when all is there. On Debian and Ubuntu apt installs the rest; elsewhere, or without the right to, it
# says what is missing and stops.
set -u
what=${1:-build}
missing= why=

need() { # package, reason, test
    if ! eval "$3" >/dev/null 2>&1; then
        missing="$missing $1"
        why="$why
  $1: $2"
    fi
}
header() { printf '#include <%s>\n' "$1" | ${CC:-cc} -E -x c - ; }
cmocka() { printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <cmocka.h>\n' | ${CC:-cc} -E -x c - ; }

need gcc "the C compiler" "command -v ${CC:-cc}"
need libc6-dev "the C library's headers" "header math.h"
need cmake "the build" "command -v cmake"
need make "the build" "command -v make"
need python3 "tests of commands and documents" "command -v python3"
need libpthreadpool-dev "threads" "header pthreadpool.h"
need graphviz "pictures of graphs" "command -v dot"
if [ "$what" = check ]; then
    need libcmocka-dev "unit tests" "cmocka"
    need g++ "the header as C++" "command -v g++"
    need clang "the second compiler, and the sanitizers" "command -v clang"
    need libclang-rt-14-dev "the sanitizers of clang" "echo 'int main(void){return 0;}' | clang -fsanitize=address -x c - -o /dev/null"
    need clang-format "the formatting" "command -v clang-format"
    need pkg-config "the installed library found by others" "command -v pkg-config"
fi
[ -z "$missing" ] && exit 0

echo "Missing:$why"
line="apt-get install -y --no-install-recommends$missing"
if ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release || ! command -v apt-get >/dev/null; then
    echo "This is not Debian or Ubuntu: install these by your system's means, then run this again."
    exit 1
fi
if [ "$(id -u)" = 0 ]; then sudo=
elif [ -t 0 ]; then sudo="sudo"
else sudo="sudo -n"; fi
echo "Installing: $sudo $line"
if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive $line -q; }; then
    echo "Could not install. As root, run:"
    echo "  $line"
    exit 1
fi

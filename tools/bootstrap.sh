#!/bin/sh
# Installs what is missing for `make demo` (build), `make check` (build and tests), `make bench`, `make check-peers` or `make gradbench`: bootstrap.sh build|check|bench|peers|gradbench
# What is there is found by use, not by name, and nothing is touched when all is there. On Debian and Ubuntu apt installs the rest;
# elsewhere, or without the right to, this says what is missing and stops.
set -u
what=${1:-build}

need() { # package, what it is for, a command that succeeds where it is there
    eval "$3" >/dev/null 2>&1 </dev/null && return
    case "$missing " in *" $1 "*) return ;; esac
    missing="$missing $1"
    why="$why
  $1: $2"
}
compiler() { command -v "${CC:-cc}" || command -v gcc; }
header() { echo "#include <$1>" | $(compiler) -E -x c -; }
cmocka() { printf '#include <%s>\n' stdarg.h stddef.h stdint.h setjmp.h cmocka.h | $(compiler) -E -x c -; }
links() { echo 'int main(void) { return 0; }' | clang "$1" -x c - -o "$scratch/a.out"; } # with a runtime of clang's
openblas() {
    printf '#include <openblas_config.h>\nint openblas_get_parallel(void);\nint main(void) { return openblas_get_parallel() < 0; }\n' |
        $(compiler) -x c - -lopenblas -o "$scratch/a.out"
}
python_header() { python3 -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'; }
# Of the clang that is there, or of the one that apt would install.
clang_major() {
    if command -v clang >/dev/null; then clang -dumpversion | sed 's/\..*//'
    else apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1
    fi
}
look() {
    missing='' why=''
    need gcc "the C compiler" 'compiler'
    need libc6-dev "the headers of the C library" 'header math.h'
    need make "the build" 'command -v make'
    need cmake "the build" 'command -v cmake'
    need zlib1g-dev "data packed by gzip" 'header zlib.h'
    need libjansson-dev "safetensors" 'header jansson.h'
    need libzip-dev "npz" 'header zip.h'
    need libpng-dev "images" 'header png.h'
    need dataset-fashion-mnist "real images, which the demo learns" '[ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]'
    need graphviz "pictures of graphs" 'command -v dot'
    [ "$what" = bench ] && look_bench
    [ "$what" = bench ] || [ "$what" = peers ] && look_peers
    [ "$what" = peers ] && need fortunes "a text, which both sides learn" 'ls /usr/share/games/fortunes/*.u8'
    [ "$what" = gradbench ] && look_gradbench
    [ "$what" = check ] && look_check
    return 0
}
look_bench() {
    need libopenblas-dev "the products of the MLP by hand" 'openblas'
    need python3 "the driver of the benchmarks" 'command -v python3'
    need g++ "what torch.compile makes" 'command -v g++'
    need python3-dev "what torch.compile makes" 'python_header'
}
look_peers() {
    need python3-venv "a place for PyTorch" 'python3 -c "import venv, ensurepip"'
    need binutils "PyTorch without a GPU" 'command -v readelf && command -v nm'
}
look_gradbench() {
    look_peers
    need g++ "GradBench's tools in C++" 'command -v g++'
    need nlohmann-json3-dev "the same" '[ -e /usr/include/nlohmann/json.hpp ]'
}
look_check() {
    need gcc "one of the two compilers that must agree" 'command -v gcc'
    need g++ "the header used from C++" 'command -v g++'
    need clang "the other compiler" 'command -v clang'
    need clang-format "the formatting" 'command -v clang-format'
    need binutils "the list of exported symbols" 'command -v nm'
    need git "the list of files" 'command -v git'
    need libcmocka-dev "the unit tests" 'cmocka'
    need pkg-config "programs that find the installed library" 'command -v pkg-config'
    need chromium "the page of explain, tried in a browser" 'command -v chromium || command -v google-chrome'
    need chromium-driver "the same: it drives the browser" 'command -v chromedriver'
    need texlive-latex-base "the LaTeX of explain, set" 'command -v pdflatex'
    need gcc-arm-linux-gnueabihf "emitted C on an ARM core" 'command -v arm-linux-gnueabihf-gcc'
    need libc6-dev-armhf-cross "the same" 'echo "#include <math.h>" | arm-linux-gnueabihf-gcc -E -x c -'
    need qemu-user "the same" 'command -v qemu-arm'
    need libblis-serial-dev "the other matrix product" 'header blis.h'
    need strace "the test that kills a program while it saves" 'command -v strace'
    need valgrind "the test that counts how reading a model grows" 'command -v valgrind'
    need python3 "the tests of commands, documents and layers" 'command -v python3'
    # Its name has the version of clang in it: where apt has no lists yet it is looked for in a second round.
    major=$(clang_major)
    [ -z "$major" ] ||
        need "libclang-rt-$major-dev" "sanitizers and fuzzing" 'links -fsanitize=address && links -fsanitize=thread && links -fsanitize=fuzzer-no-link'
}
give_up() {
    echo "$1"
    echo "  apt-get install -y --no-install-recommends$missing"
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for round in 1 2 3; do
    look
    [ -z "$missing" ] && exit 0
    echo "Missing:$why"
    [ "$round" = 3 ] && give_up "Still missing after it was installed. The line was:"
    if ! grep -qsE '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release || ! command -v apt-get >/dev/null; then
        give_up "This is not Debian or Ubuntu: install these by your system's own means. Debian's line is:"
    fi
    if [ "$(id -u)" = 0 ]; then as_root=
    elif [ -t 0 ]; then as_root="sudo"
    else as_root="sudo -n"; fi
    if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
        give_up "Only root may install, and there is no sudo. As root, run:"
    fi
    echo "Installing:$missing"
    [ "$round" = 1 ] && $as_root apt-get update -q
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing ||
        give_up "Could not install. As root, run:"
done

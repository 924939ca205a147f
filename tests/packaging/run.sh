#!/bin/sh
# Installs a build into an empty folder and uses it from outside the tree in one way: run.sh BUILD WAY
#   pkg-config  pkg-config-static  cmake  cmake-static  cxx  python  program  moved
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
way=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/installed" >/dev/null
prefix=$scratch/installed
cd "$scratch" # nothing is found by lying near
unset CPATH C_INCLUDE_PATH LIBRARY_PATH LD_LIBRARY_PATH PKG_CONFIG_PATH

use_pkg_config() { # prefix, flags of pkg-config and of the compiler...
    PKG_CONFIG_PATH=$(find "$1" -name pkgconfig) && export PKG_CONFIG_PATH && prefix=$1
    shift
    flags="$(pkg-config --cflags --libs "$@" chainrule)"
}
# The program prints the derivative it computed, which the worked example knows to be -2.
run() { [ "$(LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libchainrule.so)") "$@")" = -2 ]; }
with_cmake() { # target
    cmake -S "$here" -B made -DCMAKE_PREFIX_PATH="$prefix" -DTARGET="$1" >/dev/null
    cmake --build made >/dev/null
    run made/worked
}

case $way in
pkg-config)
    use_pkg_config "$prefix"
    cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$here/worked.c" -o worked $flags
    run ./worked ;;
pkg-config-static)
    use_pkg_config "$prefix" --static
    find "$prefix" -name '*.so*' -delete
    cc -std=c99 "$here/worked.c" -o worked $flags
    [ "$(./worked)" = -2 ] ;;
cmake) with_cmake Chainrule::chainrule ;;
cmake-static) with_cmake Chainrule::static ;;
cxx)
    use_pkg_config "$prefix"
    c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$here/worked.cpp" -o worked $flags
    run ./worked ;;
python)
    file=$here/../../examples/python/chainrule.py
    [ -f "$file" ] || { echo "warning: examples/python/chainrule.py is not there yet"; exit 0; }
    LD_LIBRARY_PATH=$(dirname "$(find "$prefix" -name libchainrule.so)") python3 "$file" >printed
    grep -e '-2' printed ;;
program)
    "$prefix/bin/chainrule" version
    "$prefix/bin/chainrule" grad '(w*x - y)^2' w=1 x=1 y=2 --wrt w | grep -e '-2' ;;
moved)
    mv "$prefix" "$scratch/elsewhere"
    prefix=$scratch/elsewhere
    use_pkg_config "$prefix"
    cc -std=c99 "$here/worked.c" -o worked $flags
    run ./worked
    with_cmake Chainrule::chainrule
    if grep -rIlF -e "$scratch/installed" -e "$build" "$prefix/lib" "$prefix/include"; then
        echo "names the place where it was built or installed"
        exit 1
    fi ;;
*) echo "no such way: $way" && exit 2 ;;
esac

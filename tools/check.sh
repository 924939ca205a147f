#!/bin/sh
# All checks: every configuration is built and tested, then what no configuration can see. The last line adds up passed and failed.
# CHECK_SCALE (1) multiplies the counts of random tests and of fuzzing, and what time a test may take; `make check-long` sets it to 20.
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc 2>/dev/null || echo 2)
passed=0 failed=0 broken=
export CHECK_SCALE="${CHECK_SCALE:-1}"

count() { passed=$((passed + $1)); failed=$((failed + $2)); }
ok() { count 1 0; echo "ok: $1"; }
bad() { count 0 1; broken="$broken
  $1"; echo "FAILED: $1"; }
check() { # name, command...
    name=$1; shift
    if out=$("$@" 2>&1); then
        ok "$name"
        echo "$out" | grep '^warning: '
    else
        echo "$out"
        bad "$name"
    fi
}
# Configurations are built in the background, beside the tests of those before them: neither keeps all cores busy to its end.
build() { # name, cmake options...
    name=$1; shift
    mkdir -p "build-$name"
    rm -f "build-$name/built"
    { cmake -S . -B "build-$name" -DCR_WERROR=ON "$@" && cmake --build "build-$name" -j "$jobs" ${targets:+--target $targets}; } \
        >"build-$name/build.log" 2>&1 &
    echo $! >"build-$name/building"
}
built() { # name : waits for it
    echo "== $1"
    wait "$(cat "build-$1/building")" && mv "build-$1/building" "build-$1/built" && return
    grep -E 'rror:|undefined reference|\*\*\*' "build-$1/build.log" | head -40
    bad "$1: builds (build-$1/build.log)"
}
tests() { # name, pattern of tests, of those left out
    [ -f "build-$1/built" ] || return
    log=build-$1/check.log
    PATH="$kept/bin:$PATH" ctest --test-dir "build-$1" --timeout $((600 * CHECK_SCALE)) -j "$jobs" --output-on-failure -R "$2" ${3:+-E "$3"} >"$log" 2>&1
    closing=$(grep 'tests passed, .* tests failed out of' "$log")
    total=${closing##* } lost=${closing#*passed, } lost=${lost%% *}
    if [ -z "$closing" ]; then
        cat "$log"
        bad "$1: has tests"
        return
    fi
    [ "$lost" = 0 ] || cat "$log"
    [ "$lost" = 0 ] || broken="$broken
$(sed -n "/(Disabled)/!s/^\t *[0-9]* - /  $1: /p" "$log")"
    echo "$closing"
    count $((total - lost)) "$lost"
}
sources() { git ls-files -co --exclude-standard "$@" | while read -r f; do [ -f "$f" ] && echo "$f"; done; }
c_sources() { sources '*.c' '*.h'; }
formatting() { c_sources | xargs clang-format --dry-run -Werror; }
no_paths() { ! sources | grep -v '^tools/check.sh$' | xargs grep -nIE '(^|[^A-Za-z0-9_.~>})/-])/(work|home|root|Users)/[A-Za-z]'; }
header() { # compiler, standard, language, flags...
    compiler=$1 standard=$2 language=$3; shift 3
    echo '#include "chainrule.h"' | $compiler -std=$standard -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef \
        -Wcast-qual -Wwrite-strings -Wredundant-decls "$@" -Werror -fsyntax-only -Iinclude -Ibuild-gcc/include -x "$language" -
}

# C that tests emit and loops that they compile at run time are the same in every configuration: `cc` compiles each once.
kept=$PWD/build-kept
rm -rf "$kept"
mkdir -p "$kept/bin"
printf '#!/bin/sh\nexec sh "%s/tools/cc_kept.sh" "%s" "%s" "$@"\n' "$PWD" "$kept" "$(command -v cc || command -v gcc)" >"$kept/bin/cc"
chmod +x "$kept/bin/cc"
# So are most files of the two that gcc builds, unless a person's own launcher sees to that. Nobody reads their debugging information.
once="-DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER:-sh;$PWD/tools/cc_kept.sh;$kept}"
build gcc "$once" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release -DCR_BLIS=ON

echo "== the sources"
check "rooms include only what stands before them" python3 tools/layers.py
check "the formatting is clang-format's" formatting
check "no path of a machine" no_paths

built gcc
# Fuzzing with it: its count of branches costs the other tests little, another build of everything a minute.
build clang-sanitized -DCMAKE_C_COMPILER=clang -DCR_BLIS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -gline-tables-only" \
    -DCR_SANITIZE=address,undefined -DCR_FUZZ=ON
tests gcc .

echo "== the public header"
for compiler in gcc clang; do
    check "as C99, $compiler" header $compiler c99 c -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    check "as C17, $compiler" header $compiler c17 c -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    check "as C++17, $compiler" header $compiler c++17 c++ -Wold-style-cast -Wzero-as-null-pointer-constant
done
echo "== the installed library"
check "exports the symbols of tests/symbols.txt and no other" sh tools/symbols.sh build-gcc/libchainrule.so
if [ -d tests/packaging ]; then
    for way in pkg-config pkg-config-static cmake cmake-static cxx python program moved; do
        check "used by a program outside the tree: $way" sh tests/packaging/run.sh build-gcc $way
    done
fi

built clang-sanitized
targets='test_base_pool test_run_threads test_run_host_threads test_run_ready'
build clang-threads -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DCR_SANITIZE=thread
targets=
build bare "$once" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release \
    -DCR_THREADS=OFF -DCR_ZLIB=OFF -DCR_JANSSON=OFF -DCR_LIBZIP=OFF -DCR_LIBPNG=OFF -DCR_BLIS=OFF
tests clang-sanitized .
built clang-threads
tests clang-threads '^(base.pool|run.((host_)?threads|ready))$'
built bare # what is left out is long, and the same with or without what bare leaves out
tests bare . '^(formula.linear|run.compiled|interface.memory|explain.formats)$'

[ -z "$broken" ] || echo "
What failed:$broken"
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

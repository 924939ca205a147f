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
skip= targets=
configuration() { # name, pattern of tests, cmake options... : build, then ctest
    name=$1 pattern=$2; shift 2
    log=build-$name/check.log
    mkdir -p "build-$name"
    echo "== $name"
    if ! { cmake -S . -B "build-$name" -DCR_WERROR=ON "$@" && cmake --build "build-$name" -j "$jobs" ${targets:+--target $targets}; } >"$log" 2>&1; then
        grep -E 'rror:|undefined reference|\*\*\*' "$log" | head -40
        bad "$name: builds (build-$name/check.log)"
        return
    fi
    ctest --test-dir "build-$name" --timeout $((600 * CHECK_SCALE)) -j "$jobs" --output-on-failure -R "$pattern" ${skip:+-E "$skip"} >"$log" 2>&1
    closing=$(grep 'tests passed, .* tests failed out of' "$log")
    total=${closing##* } lost=${closing#*passed, } lost=${lost%% *}
    if [ -z "$closing" ]; then
        cat "$log"
        bad "$name: has tests"
        return
    fi
    [ "$lost" = 0 ] || cat "$log"
    [ "$lost" = 0 ] || broken="$broken
$(sed -n "s/^\t *[0-9]* - /  $name: /p" "$log")"
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

configuration gcc . -DCMAKE_C_COMPILER=gcc -DCR_BLIS=ON
# Fuzzing with it: its count of branches costs the other tests little, another build of everything a minute.
configuration clang-sanitized . -DCMAKE_C_COMPILER=clang -DCR_BLIS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -gline-tables-only" \
    -DCR_SANITIZE=address,undefined -DCR_FUZZ=ON
# pthreadpool is not built for the thread sanitizer, which so cannot see its locks: there the tests' own threads run.
targets='test_run_threads test_run_host_threads'
configuration clang-threads '^run.(host_)?threads$' -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG="-O1 -g" -DCR_SANITIZE=thread -DCR_PTHREADPOOL=OFF
targets=
skip='^(formula.linear|run.compiled|interface.memory|explain.formats)$' # long, and the same with or without what bare leaves out
configuration bare . -DCMAKE_C_COMPILER=gcc -DCR_PTHREADPOOL=OFF -DCR_ZLIB=OFF -DCR_JANSSON=OFF -DCR_LIBZIP=OFF -DCR_LIBPNG=OFF -DCR_BLIS=OFF
skip=

echo "== the public header"
for compiler in gcc clang; do
    check "as C99, $compiler" header $compiler c99 c -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    check "as C17, $compiler" header $compiler c17 c -Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes
    check "as C++17, $compiler" header $compiler c++17 c++ -Wold-style-cast -Wzero-as-null-pointer-constant
done
echo "== the sources"
check "rooms include only what stands before them" python3 tools/layers.py
check "the formatting is clang-format's" formatting
check "no path of a machine" no_paths
echo "== the installed library"
check "exports the symbols of tests/symbols.txt and no other" sh tools/symbols.sh build-gcc/libchainrule.so
if [ -d tests/packaging ]; then
    for way in pkg-config pkg-config-static cmake cmake-static cxx python program moved; do
        check "used by a program outside the tree: $way" sh tests/packaging/run.sh build-gcc $way
    done
fi
[ -z "$broken" ] || echo "
What failed:$broken"
echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

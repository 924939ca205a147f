#!/bin/sh
# All checks: every configuration is built and tested; the last line adds up passed and failed. CHECK_SCALE (1) multiplies the counts
# of random tests and the seconds of fuzzing.
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc 2>/dev/null || echo 2)
passed=0 failed=0
export CHECK_SCALE="${CHECK_SCALE:-1}"

ok() { passed=$((passed + 1)); echo "ok: $1"; }
bad() { failed=$((failed + 1)); echo "FAILED: $1"; }
check() { # name, command...
    name=$1; shift
    if out=$("$@" 2>&1); then ok "$name"; else echo "$out"; bad "$name"; fi
}
configuration() { # name, cmake options... : build, then ctest
    name=$1; shift
    log=build-$name/check.log
    mkdir -p "build-$name"
    echo "== $name"
    if ! { cmake -S . -B "build-$name" -DCR_WERROR=ON "$@" && cmake --build "build-$name" -j "$jobs"; } >"$log" 2>&1; then
        grep -E 'error|Error|warning' "$log" | head -40
        bad "$name builds"
        return
    fi
    ctest --test-dir "build-$name" --timeout 300 -j "$jobs" --output-on-failure $ctest_options >"$log" 2>&1
    total=$(sed -n 's/.*tests failed out of \([0-9]*\).*/\1/p' "$log")
    lost=$(sed -n 's/.*, \([0-9]*\) tests failed out of.*/\1/p' "$log")
    [ "${lost:-1}" = 0 ] || cat "$log"
    echo "$name: $((${total:-0} - ${lost:-0})) of ${total:-0} passed"
    passed=$((passed + ${total:-0} - ${lost:-0})); failed=$((failed + ${lost:-1}))
}

ctest_options=
configuration gcc -DCMAKE_C_COMPILER=gcc
configuration clang-sanitized -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DCR_SANITIZE=address,undefined -DCMAKE_C_FLAGS_DEBUG="-O1 -g"
configuration bare -DCMAKE_C_COMPILER=gcc -DCR_PTHREADPOOL=OFF
ctest_options="-R threads"
# The pool of the library is not instrumented: the host's threads alone are watched.
configuration threads -DCMAKE_C_COMPILER=clang -DCR_SANITIZE=thread -DCR_PTHREADPOOL=OFF

echo "== the rest"
for standard in c99 c17; do
    check "the header as $standard" ${CC:-cc} -std=$standard -Wall -Wextra -Wpedantic -Wconversion -Wstrict-prototypes -Werror -fsyntax-only -Iinclude -Ibuild-gcc/include -x c include/chainrule.h
done
check "the header as C++17" g++ -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast -Werror -fsyntax-only -Iinclude -Ibuild-gcc/include -x c++ include/chainrule.h
check "rooms include only what stands before them" python3 tools/layers.py
check "the exported symbols" sh tools/symbols.sh build-gcc/libchainrule.so
check "the formatting" sh -c 'git ls-files "*.c" "*.h" | xargs clang-format --dry-run -Werror'
check "no path of a machine in the tree" sh -c '! git grep -nE "(^|[^a-z.<])/(work|home|root)/[a-z]" -- . ":!tools/check.sh"'
[ -x tests/packaging/run.sh ] && check "others build against the installed library" tests/packaging/run.sh
[ -x tests/fuzz/run.sh ] && check "fuzzing" tests/fuzz/run.sh
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/sh
# Feeds a target its corpus and what grows from it: run.sh TARGET CORPUS. CHECK_SCALE multiplies the runs and is the seed.
# An input that fails is left in the current folder, to be kept in the corpus once it is mended.
set -eu
scale=${CHECK_SCALE:-1}
rm -rf "$1.grown" # the same runs each time
mkdir "$1.grown"
dictionary=${2%/}.dict
[ -f "$dictionary" ] && set -- "$1" "$2" "-dict=$dictionary"
exec env ASAN_OPTIONS=allocator_may_return_null=1 "$1" -seed="$scale" -runs=$((scale * 10000)) -max_len=4096 -timeout=10 \
    -malloc_limit_mb=64 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 "$1.grown" "$2" ${3:+"$3"}

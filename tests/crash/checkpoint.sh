#!/bin/sh
# A checkpoint survives SIGKILL at any system call of the run that saves it: checkpoint.sh PROGRAM DATA
# Runs are killed at the n-th call of each kind, for every kind and n = 1 to the last. What then stands at the name is the old file or the new one,
# whole; a neighbour that was never renamed may lie about, and is no checkpoint.
set -eu
strace -o /dev/null true 2>/dev/null || exit 77
program=$1 data=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
train() { epochs=$1; shift; "$@" "$program" train "$data/line.cr" --data "$data/line.csv" --epochs "$epochs" --batch 4 --threads 1 --quiet --checkpoint ck; }
train 1 env && cp ck old
train 2 env && cp ck new
cmp -s old new && { echo "the two checkpoints do not differ"; exit 1; }
cp old ck
train 2 strace -o calls
killed=0 kept=0 took=0
# strace counts each kind of call by itself.
for call in $(sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' calls | sort -u | grep -v '^exit'); do
    for n in $(seq "$(grep -c "^$call(" calls)"); do
        cp old ck
        train 2 strace -o /dev/null -e trace="$call" -e inject="$call":signal=KILL:when="$n" 2>/dev/null && continue
        killed=$((killed + 1))
        if cmp -s ck old; then kept=$((kept + 1))
        elif cmp -s ck new; then took=$((took + 1))
        else echo "killed at $call $n: the checkpoint is neither the old nor the new one"; exit 1; fi
    done
done
echo "$killed runs killed: $kept kept the old checkpoint, $took had the new one"
[ "$kept" -gt 0 ] && [ "$took" -gt 0 ]

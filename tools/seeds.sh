#!/bin/sh
# How does examples/mlp.cr fare on Fashion-MNIST from one seed to another? seeds.sh PROGRAM [SEED ..], five unless given.
# The epoch is chosen by 5,000 images for validation; the test set is read once a seed, at the end. Fails where one is below 88 %.
set -eu
program=$1
shift
[ $# -gt 0 ] || set -- 0 1 2 3 4
cd "$(dirname "$0")/.."
. tools/fashion_mnist.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
below=0
for seed; do
    begun=$(date +%s)
    chosen=$("$program" train $mlp_train --best 'max accuracy' --optimiser "$mlp_rate" --seed "$seed" --out "$scratch/weights.safetensors" | tail -n 1)
    took=$(($(date +%s) - begun))
    accuracy=$("$program" eval $mlp_test --weights "$scratch/weights.safetensors" | sed -n 's/^accuracy = //p')
    echo "seed $seed: test accuracy $accuracy, $took s (${chosen##*: })"
    below=$((below + $(echo "$accuracy" | awk '{ print ($1 < 0.88) }')))
done
[ $below -eq 0 ]

#!/bin/sh
# The main job on real input: demo.sh PROGRAM. Pictures go beside the program.
set -eu
program=$1
out=$(dirname "$program")
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n$ %s\n' "$1" "$2"; }

say "The worked example: how dloss/dw = -2 comes about" "chainrule explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w"
"$program" explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w

say "The same as a page, to open in a browser" "chainrule explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w --html $out/worked.html"
"$program" explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w --html "$out/worked.html"

say "Its derivative as a formula, to order 3" "chainrule diff 'loss = (w*x - y)^2' --wrt w --order 1, 2, 3"
for order in 1 2 3; do "$program" diff 'loss = (w*x - y)^2' --wrt w --order $order; done

say "A line through NIST's Norris data (certified b0 = -0.262323073774029, b1 = 1.00211681802045)" "chainrule fit examples/norris.cr examples/norris.csv --svg $out/fit.svg"
"$program" fit examples/norris.cr examples/norris.csv --svg "$out/fit.svg"

say "The graph as a picture" "chainrule explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w --svg $out/graph.svg"
"$program" explain 'loss = (w*x - y)^2' w=1 x=1 y=2 --wrt w --svg "$out/graph.svg"

. tools/fashion_mnist.sh
say "A classifier of 60,000 real images (Fashion-MNIST), its epoch chosen by 5,000 of them" "chainrule train $mlp_train --best 'max accuracy' --optimiser '$mlp_rate' --out $out/mlp.safetensors --svg $out/loss.svg --report $out/report.html"
"$program" train $mlp_train --best 'max accuracy' --optimiser "$mlp_rate" --out "$out/mlp.safetensors" --svg "$out/loss.svg" --report "$out/report.html"

test="$mlp_test --weights $out/mlp.safetensors"
say "What it makes of 10,000 images that it has not seen" "chainrule eval $test"
"$program" eval $test

say "What the trained net does with the first 32 of them, as a page" "chainrule explain $test --html $out/net.html"
"$program" explain $test --html "$out/net.html"
printf '\nPages: %s, %s and %s. Pictures: %s, %s and %s\n' "$out/worked.html" "$out/report.html" "$out/net.html" "$out/graph.svg" "$out/fit.svg" "$out/loss.svg"

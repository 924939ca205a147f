#!/bin/sh
# An emitted training step on a small ARM core (a Cortex-A9, by emulation): the same numbers as on this machine.
# arm.sh PROGRAM EXAMPLES CC
set -eu
program=$1 examples=$2 cc=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$examples/xor.cr" "$scratch"
# The example, printing digits. The C libraries' functions differ in the last bits of few arguments: 500 steps keep ten digits.
sed 's|printf(.*|printf("%.10g %.10g %.10g\\n", *loss, W1[3], b2[0]);|' "$examples/emitted/main.c" > "$scratch/main.c"
cd "$scratch"
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --no-libm --out xor_step.c
strict="-std=c99 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
$cc $strict -ffp-contract=off main.c xor_step.c -o here -lm
arm-linux-gnueabihf-gcc $strict -mcpu=cortex-a9 -mfpu=vfpv3 -ffp-contract=off -static main.c xor_step.c -o there -lm
arm-linux-gnueabihf-gcc $strict -mcpu=cortex-a9 -c xor_step.c
echo "the step: $(size xor_step.o 2>/dev/null | tail -1 | cut -f1) bytes of code there"
./here > here.txt
qemu-arm -cpu cortex-a9 ./there > there.txt
cat there.txt
[ -s here.txt ]
cmp here.txt there.txt
# With own mathematics, every bit.
sed -i 's/%.10g/%a/g' main.c
$cc $strict -ffp-contract=off -DXOR_STEP_NO_LIBM main.c xor_step.c -o here
arm-linux-gnueabihf-gcc $strict -mcpu=cortex-a9 -mfpu=vfpv3 -ffp-contract=off -static -DXOR_STEP_NO_LIBM main.c xor_step.c -o there
arm-linux-gnueabihf-gcc $strict -mcpu=cortex-a9 -DXOR_STEP_NO_LIBM -c xor_step.c
nm -u xor_step.o | grep -vE 'mem(cpy|move|set)|__aeabi_|_GLOBAL_OFFSET_TABLE_|__stack_chk' && { echo "it calls these"; exit 1; }
echo "without libm: $(size xor_step.o | tail -1 | cut -f1) bytes of code there"
./here > here.txt
qemu-arm -cpu cortex-a9 ./there > there.txt
cat there.txt
cmp here.txt there.txt

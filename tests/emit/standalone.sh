#!/bin/sh
# The emitted example, built without the library: standalone.sh PROGRAM EXAMPLES CC
set -eu
program=$1 examples=$2 cc=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cp "$examples/xor.cr" "$examples/emitted/main.c" "$scratch"
cd "$scratch"
mkdir alone
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out xor_step.c
$cc -std=c99 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror main.c xor_step.c -o emitted -lm
[ "$(./emitted)" = "loss below 0.01 after 500 steps" ]
grep -q malloc xor_step.c && { echo "it allocates"; exit 1; }
# Without libm: nothing is called but what moves bytes, in either format.
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --no-libm --out alone/xor_step.c
cp main.c alone
strict="-O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
(
    cd alone
    for how in "-std=c99" "-std=c11" "-std=c99 -DXOR_STEP_REAL=float" "-std=c11 -DXOR_STEP_REAL=float"; do
        $cc $strict $how -DXOR_STEP_NO_LIBM -c xor_step.c
        nm -u xor_step.o | grep -vE 'mem(cpy|move|set)$|^ +w |__stack_chk_fail|_GLOBAL_OFFSET_TABLE_' && { echo "it calls these"; exit 1; }
    done
    # a processor without a system: clang's own headers, and a declaration of what moves bytes
    if command -v clang >/dev/null; then
        mkdir bare
        echo '#include <stddef.h>
void *memcpy(void *to, const void *from, size_t n);' > bare/string.h
        for cpu in "thumbv7em-none-eabi -mcpu=cortex-m4" "thumbv7em-none-eabi -mcpu=cortex-m7" aarch64-none-elf; do
            clang --target=$cpu -ffreestanding -nostdinc -isystem "$(clang -print-resource-dir)/include" -Ibare -std=c99 $strict -DXOR_STEP_NO_LIBM \
                -c xor_step.c -o bare.o
            nm -u bare.o | grep -vE 'mem(cpy|move|set)$|__aeabi_' && { echo "it calls these on $cpu"; exit 1; }
        done
        # more bytes, or a longer loop, than it can count
        for size in 'y = sum(cumsum(uniform(1, [30000, 30000])*a)^2)' 'y = sum(uniform(1, [3000000000])*a)'; do
            "$program" emit "$size" --no-libm --out large.c
            clang -fsyntax-only -std=c99 $strict -DLARGE_NO_LIBM large.c
            clang --target=thumbv7em-none-eabi -fsyntax-only -ffreestanding -nostdinc -isystem "$(clang -print-resource-dir)/include" -Ibare -w \
                -std=c99 -DLARGE_NO_LIBM large.c 2> told && { echo "it is taken there"; exit 1; }
            grep -q 'large is too large for this processor' told
        done
    fi
    # names that its mathematics has
    "$program" emit 'y = tanh(tanh_f64) * F64_BIAS + exp(SIGN) / magnitude_f32' --no-libm --out own.c
    $cc $strict -std=c99 -DOWN_NO_LIBM -c own.c
    $cc -std=c99 $strict -DXOR_STEP_NO_LIBM main.c xor_step.c -o emitted
    [ "$(./emitted)" = "loss below 0.01 after 500 steps" ]
)
# sums over a short line read backwards, which gcc 12 gets wrong at -O3 where they are one
"$program" emit 'input x: f64[34, 8]
total = sum(x[:, ::-1])' --outputs total --out back.c
cat > back_main.c <<'EOF'
#include <stdio.h>
#include "back.h"
static double work[BACK_WORK / sizeof(double) + 1], x[34 * 8], total;
int main(void) {
    for (int i = 0; i < 34 * 8; i++) x[i] = i * i;
    if (back(x, &total, work)) return 1;
    printf("%.0f\n", total); /* 271 272 543/6 */
    return 0;
}
EOF
$cc -std=c99 -O3 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror back_main.c back.c -o back -lm
[ "$(./back)" = 6670936 ]
# names that the headers of C have
"$program" emit 'y = sin(sinf) * exp(M_PI) * abs(cabs) / INT8_MAX + cexpl^1.5' --out headers.c
for how in -std=c99 -std=gnu11; do $cc $strict $how -c headers.c; done
mkdir again
"$program" emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out again/xor_step.c
cmp again/xor_step.c xor_step.c # the same bytes each time

/* A net trained by an emitted step: this program links the C library alone.
 *   chainrule emit xor.cr batch=4 --outputs loss --optimiser 'adam(rate=0.05)' --out xor_step.c
 *   cc main.c xor_step.c -lm */
#include <stdio.h>
#include <string.h>

#include "xor_step.h"

static const double x[8] = {0, 0, 0, 1, 1, 0, 1, 1}, y[4] = {0, 1, 1, 0};
static double W1[16], b1[8], W2[8], b2[1], state[66], loss[1];
static double work[XOR_STEP_WORK / sizeof(double) + 1];

int main(void) {
    double *s = state; /* the optimiser's: means and squares, 0 at first */
    for (int i = 0; i < 16; i++) W1[i] = (i * 7 % 11 - 5) / 5.0;
    for (int i = 0; i < 8; i++) W2[i] = (i * 5 % 7 - 3) / 3.0;
    for (int i = 0; i < 500; i++)
        if (xor_step(x, y, W1, b1, W2, b2, s, s + 16, s + 32, s + 40, s + 48, s + 56, s + 64, s + 65, loss, i,
                     work))
            return 1;
    printf("loss %s 0.01 after 500 steps\n", *loss < 0.01 ? "below" : "above");
    return 0;
}

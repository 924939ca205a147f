/* The numbers of bench/common/small.h. */
#include "common/small.h"
#include <math.h>
#include "common/layer.h"

void small_points(float x[SMALL_POINTS][2], float y[SMALL_POINTS]) {
    for (unsigned k = 0; k < SMALL_POINTS; k++) {
        for (unsigned j = 0; j < 2; j++) x[k][j] = (float)layer_hash(2 * k + j + 1) / 16384 - 2;
        y[k] = x[k][0] * x[k][1] > 0 ? 1 : -1;
    }
}

void small_parameters(float p[SMALL_PARAMETERS]) {
    for (unsigned k = 0; k < SMALL_PARAMETERS; k++) {
        float inputs = k < SMALL_W2 ? 2 : SMALL_H;
        int bias = (k >= SMALL_B1 && k < SMALL_W2) || (k >= SMALL_B2 && k < SMALL_W3) || k == SMALL_B3;
        p[k] = bias ? 0 : ((float)layer_hash(k + 1000004) / 32768 - 1) * sqrtf(6 / inputs);
    }
}

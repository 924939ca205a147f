/* What every side of the small net starts from: 100 points of the plane, each of one class or the other (-1, 1), and a net
 * 2-16-16-1 with relu. A step is one of gradient descent over all points:
 *
 *     loss = mean(relu(1 - y score)) + 1e-4 sum(p^2)    p -= 0.05 dloss/dp, for every parameter p
 *
 * (the demonstration of micrograd, github.com/karpathy/micrograd, with numbers of this file). With hash as in layer.h, point k is
 * (hash(2k + 1), hash(2k + 2))/16384 - 2, its class the sign of the product of both; weight k is
 * (hash(k + 1000004)/32768 - 1) sqrt(6/inputs); biases are 0. */
#ifndef BENCH_SMALL_H
#define BENCH_SMALL_H

enum {
    SMALL_POINTS = 100,
    SMALL_H = 16,
    SMALL_W1 = 0, /* where each begins in the flat vector: [2, 16], [16], [16, 16], [16], [16, 1], [1] */
    SMALL_B1 = SMALL_W1 + 2 * SMALL_H,
    SMALL_W2 = SMALL_B1 + SMALL_H,
    SMALL_B2 = SMALL_W2 + SMALL_H * SMALL_H,
    SMALL_W3 = SMALL_B2 + SMALL_H,
    SMALL_B3 = SMALL_W3 + SMALL_H,
    SMALL_PARAMETERS = SMALL_B3 + 1
};

void small_points(float x[SMALL_POINTS][2], float y[SMALL_POINTS]);
void small_parameters(float p[SMALL_PARAMETERS]);

#endif

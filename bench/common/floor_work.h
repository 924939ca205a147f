/* Arithmetic that nothing holds up, on numbers in the first cache: what the floors of bench/common/floor.c count in. */
#ifndef BENCH_FLOOR_WORK_H
#define BENCH_FLOOR_WORK_H
#include <stddef.h>

/* Floats, gone through again and again; and of a row, since what is read soon after something was written at its place in another page waits for that. */
enum { FLOOR_HOT = 1024, FLOOR_ROW = FLOOR_HOT + 5 * 16 };

struct floor_hot {
    _Alignas(64) float in[3][FLOOR_ROW], out[2][FLOOR_ROW];
    float apart[16], one, half, sum[4]; /* apart: of what the next thread writes */
};

void floor_hot_fill(struct floor_hot *hot);

/* n of it, a multiple of a register's numbers; all but fma so many numbers of a tensor:
 *
 *     fma             multiply-adds
 *     exp             exponentials
 *     softmax         maximum, e^(x - m), sum and product: cross-entropy with its gradient
 *     gelu            gelu and its derivative
 *     tanh_sigmoid    tanh(a*x + b)*sigmoid(c*x), its sum and the gradients by x, a, b and c
 *     adam            Adam, of a gradient that is a column times a row
 *
 * Each in the form that is the fastest known here, which is no proof that none is faster. NULL: none of that name. */
typedef void floor_work(struct floor_hot *hot, size_t n);
floor_work *floor_work_of(const char *name);

#endif

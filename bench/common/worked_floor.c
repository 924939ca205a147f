/* The least that a step of the worked example can take where its numbers are in memory: three are loaded, two stored, nothing is computed. */
static inline double worked(double *dw, const double *w, const double *x, const double *y) {
#if defined __SSE2__
    __asm__ volatile("" : : "x"(*y)); /* needed, so it is loaded */
    *dw = *w;
    return *x;
#else
    *dw = *w + *y;
    return *x;
#endif
}

#include "common/worked.h"

int main(void) { return worked_serve("floor", "loads and stores"); }

/* The worked example by hand: see common/worked.h. */
static inline double worked(double *dw, const double *w, const double *x, const double *y) {
    double s = *w * *x - *y;
    *dw = 2 * s * *x;
    return s * s;
}

#include "common/worked.h"

int main(void) { return worked_serve("C", ""); }

/* The worked example as `chainrule emit` writes it (the build does), in the loop of the one by hand: common/worked.h. With
 * WORKED_STEP_UNCHECKED it trusts its pointers. */
#include "worked_step.c"

static inline double worked(double *dw, const double *w, const double *x, const double *y) {
    unsigned char work[WORKED_STEP_WORK];
    double loss = 0;
    worked_step(w, x, y, &loss, dw, work);
    return loss;
}

#include "common/worked.h"

int main(void) {
#ifdef WORKED_STEP_UNCHECKED
    return worked_serve("Chainrule emit", "pointers trusted");
#else
    return worked_serve("Chainrule emit", "pointers checked");
#endif
}

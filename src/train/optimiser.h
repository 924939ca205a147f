/* Optimisers as graphs: a step takes nodes and gives nodes. */
#ifndef TRAIN_OPTIMISER_H
#define TRAIN_OPTIMISER_H

#include "ops/build.h"

enum { optimiser_states = 2, optimiser_options = 8 };

/* One step for one parameter. */
struct optimising {
    cr_node p, d;                         /* the parameter and its gradient */
    cr_node t;                            /* the number of this step, from 1: an f64 scalar */
    const cr_node *option;                /* scalars, in the order of the row's arguments */
    cr_node state[optimiser_states];      /* error nodes until asked for */
    cr_node next_state[optimiser_states]; /* error nodes where the step has none */
    /* Makes state i where the caller has none yet; a step asks for what it needs alone. */
    cr_node (*make_state)(struct optimising *o, int i);
    void *user;
};

/* Is it this literal? */
static inline bool is_literal(cr_node x, double value) {
    double v;
    return ops_literal(x, &v) && v == value;
}

struct optimiser_row {
    const char *name, *states, *arguments, *sentence;
    cr_node (*step)(struct optimising *o);
};
/* Row i, or NULL past the end; the row of a name, or NULL. */
const struct optimiser_row *optimiser_row(int i);
const struct optimiser_row *optimiser_find(const char *name, size_t n);
/* The i-th of the names parted by blanks: its length, 0 past the end. */
size_t optimiser_state_name(const struct optimiser_row *row, int i, const char **name);

/* What a step tells of itself: f64 scalars, finite or told_not_finite. norm: of the gradient of each parameter before it is accumulated and clipped, room for
 * all of them, those that are trained in their order. */
static const double told_not_finite = -0x1.fffffffffffffp1023;
double told_number(double x); /* nan for that */
struct telling {
    cr_node rate, *norm, *param;
    int n;
};
/* cr_minimise, which tells what is not NULL. */
cr_status optimiser_minimise(cr_target *t, const char *method, cr_node loss, int n, const cr_node params[],
                             struct telling *told);

#endif

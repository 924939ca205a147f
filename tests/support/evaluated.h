/* A graph with its values at hand. */
#ifndef EVALUATED_H
#define EVALUATED_H

#include "support/test.h"

struct problem {
    cr_graph *g;
    cr_eval *e;
};

static inline struct problem open_problem(void) {
    struct problem p = {.g = cr_graph_new(NULL)};
    assert_int_equal(cr_eval_new(&p.e, p.g, NULL), CR_OK);
    return p;
}

static inline void close_problem(struct problem *p) {
    cr_eval_free(p->e);
    cr_graph_free(p->g);
}

#endif

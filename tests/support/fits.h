/* A model as text, its columns, and a fit of all its parameters. */
#ifndef FITS_H
#define FITS_H

#include "support/test.h"

struct problem {
    cr_graph *g;
    cr_node loss;
    cr_store *store;
    cr_fit *f;
};

/* The fit of the model's params to its value `loss`, or its last. Fails the test if it cannot be built. */
struct problem problem_of(const char *text);
void problem_free(struct problem *p);
/* Binds n numbers as an input. */
void problem_bind(struct problem *p, const char *name, const double *data, int n);
double problem_value(const struct problem *p, const char *name);

#endif

/* The Hessian of the loss times a vector, exactly: the tangent of the gradient along it. */
#ifndef TRAIN_PRODUCT_H
#define TRAIN_PRODUCT_H

#include "train/function.h"

struct cr_fit;

/* Compiled when a method first asks for it, from a copy of the loss: the caller's graph may be gone by then. */
struct product {
    cr_graph *g;
    cr_node loss, *param;
    int params;
    struct function function;
    void **vector; /* direction i, then product i, for each parameter */
};

cr_status product_new(struct product *p, const struct mem *m, cr_node loss, int n, const cr_node params[]);
void product_free(struct product *p, const struct cr_fit *f);
/* Ready to multiply; nothing where it is so already. */
cr_status product_make(struct cr_fit *f);
/* out = H(x) v; parameters that are held take no part. False: not finite, or f->status. */
bool fit_product(struct cr_fit *f, const double *x, const double *v, double *out);

#endif

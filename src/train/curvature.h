/* The diagonal of a loss's Hessian, by which L-BFGS scales its parameters. */
#ifndef TRAIN_CURVATURE_H
#define TRAIN_CURVATURE_H

#include "train/function.h"

enum { most_curvature_params = 64 }; /* a tangent of the gradient for each */

/* A program with outputs "curvature 0" ..: f64 d2 loss / d x_i^2 for every number. CR_OK without one (f->run is NULL) where there are
 * more numbers than that, or the second derivative does not exist. */
cr_status curvature_new(struct function *f, cr_store *store, cr_node loss, int n, const cr_node params[]);

#endif

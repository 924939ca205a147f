/* The step of a Levenberg-Marquardt iteration within a region of trust. */
#ifndef TRAIN_TRUST_H
#define TRAIN_TRUST_H

#include "train/residual.h"

/* Columns of R before the first that is, to rounding, a combination of those before it. */
int trust_rank(const struct residual *s);

/* p [in_n], in the order of s->in, that minimises |R p + Q^T r| within |D p| <= delta (to a tenth), D the scale of each parameter:
 * Gauss and Newton's step, or with a damping s->par (More 1978; MINPACK's lmpar). */
void trust_step(struct residual *s, double delta, double *p);

#endif

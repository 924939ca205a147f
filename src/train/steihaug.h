/* The step of Newton's method, by conjugate gradients. */
#ifndef TRAIN_STEIHAUG_H
#define TRAIN_STEIHAUG_H

#include <stdbool.h>

struct cr_fit;

struct newton_step {
    double *p;        /* [n] */
    double predicted; /* g p + p H p / 2 */
    bool at_edge;     /* the region of trust, or a direction without positive curvature, ended it */
};

/* p that lowers g p + p H p / 2 within |D p| <= delta, to a residual of at most `tolerance` times |D^-1 g|: conjugate gradients in
 * the variables D p, which stop at the edge, and go there along a direction without positive curvature (Steihaug 1983; Nocedal and
 * Wright, 7.2). delta = inf: such a direction ends it where it stands, or is the step if it is the first (7.1). Parameters that are
 * held, or at a bound, do not move. False: f->status. */
bool steihaug(struct cr_fit *f, double delta, double tolerance, struct newton_step *step);
/* |D v|. */
double steihaug_length(const struct cr_fit *f, const double *v);
/* g p + p H p / 2 of any p. False: not finite, or f->status. */
bool steihaug_model(struct cr_fit *f, const double *p, double *value);

#endif

/* The residual of a least-squares fit and its exact Jacobian, weighted; and the room that its methods need. */
#ifndef TRAIN_RESIDUAL_H
#define TRAIN_RESIDUAL_H

#include "train/function.h"
#include "train/robust.h"
#include "train/squares.h"

enum {
    most_lm_params = 256
}; /* a graph of so many tangents, and a dense factorisation, are still moderate */
static const int64_t most_lm_numbers = INT64_C(1) << 25; /* of the Jacobian: 256 MiB */

struct residual {
    struct function value, jacobian_function;
    int64_t m, rows; /* residuals; rows of a factorisation: m, or n if that is more */
    int n;           /* parameters, all of them */
    double factor;   /* loss = factor * sum of squares; 0 until it is known */
    bool has_observed, has_weight, has_sigma;
    struct robust robust;
    double *room; /* all below */
    size_t room_count;
    double *r, *jacobian;      /* [m]; [m, n], column-major */
    double *observed, *weight; /* [m], as in squares.h */
    double *over_sigma;        /* [m]: 1/sigma */
    /* of the method (lm.c) */
    double *w, *rhs;                                   /* [rows, n], [rows]: the factorised Jacobian, Q^T r */
    double *trial_r, *along;                           /* [m], [rows] */
    double *stack;                                     /* [2n, n]: damped */
    double *stack_rhs;                                 /* [2n] */
    double *tau, *d, *norm, *p, *step, *trial, *u, *v; /* [n] */
    double *covariance;                                /* [n, n] */
    int *index;                                        /* all below, [n] each */
    int *perm, *in;    /* column k of R is in[perm[k]], parameter numbers in `in` */
    int *undetermined; /* by parameter */
    int in_n;          /* parameters that may move: neither held nor at a bound */
    double cost, offset, delta, par;
};

struct cr_fit;

/* Builds the programs for a loss that squares_of recognises: NULL in *out and CR_OK where it does not, or where there are too
 * many numbers. */
cr_status residual_new(struct residual **out, const struct mem *m, cr_store *store, cr_node loss, int n,
                       const cr_node params[]);
void residual_free(struct residual *s, const struct mem *m);

/* A tangent that is 1 at element k of a parameter, else 0. */
cr_node residual_one_hot(cr_node param, int64_t k);

/* The weighted residual at x in r. False: not finite, or f->status. */
bool residual_at(struct cr_fit *f, const double *x, double *r);
/* The weighted Jacobian at x in s->jacobian. False as above. */
bool residual_jacobian(struct cr_fit *f, const double *x);

#endif

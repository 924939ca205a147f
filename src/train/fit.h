/* A fit: the loss and its gradient as a function of one flat vector, and who minimises it. */
#ifndef TRAIN_FIT_H
#define TRAIN_FIT_H

#include "base/mem.h"

enum { memory = 10 }; /* pairs that L-BFGS keeps */

struct tensor_place {
    void *data; /* in the store */
    cr_dtype dtype;
    int64_t count;
    void *gradient; /* bound output */
    size_t bytes;
};

struct cr_fit {
    struct mem mem;
    cr_store *store;
    cr_program *program;
    cr_run *run;
    struct tensor_place *place;
    int places;
    int64_t n;    /* numbers in all */
    double *room; /* all vectors below */
    size_t room_count;
    double *x, *g, *best, *start, *trial, *trial_g, *d;
    double *s[memory], *y[memory], rho[memory], alpha[memory];
    int kept, newest;
    double loss, best_loss, best_norm;
    double loss64; /* bound output */
    bool descent;  /* method gd */
    int64_t most_iterations, iterations, evaluations;
    double tolerance, rate;
    cr_fit_progress_fn *progress;
    void *user;
    const char *reason;
    char error[512];
    cr_status status; /* of the last evaluation */
};

/* The loss at x, its gradient in g. inf where it is not finite. */
double fit_evaluate(struct cr_fit *f, const double *x, double *g);
/* Takes x with its loss and gradient if it is the best so far. */
void fit_keep_best(struct cr_fit *f, const double *x, double loss, const double *g);
/* Is the gradient within the tolerance? */
bool fit_converged(const struct cr_fit *f, const double *x, double loss, const double *g);
/* Minimises from f->x. Sets the reason. */
cr_status fit_lbfgs(struct cr_fit *f);
cr_status fit_descend(struct cr_fit *f);
/* Counts the iteration and reports it. False: stop. */
bool fit_report(struct cr_fit *f);

#endif

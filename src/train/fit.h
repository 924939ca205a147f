/* A fit: loss, residual and their derivatives as functions of one flat vector, and who minimises them. */
#ifndef TRAIN_FIT_H
#define TRAIN_FIT_H

#include "train/product.h"
#include "train/residual.h"

enum { memory = 10 }; /* pairs that L-BFGS keeps */

/* A row of minimisers.def. */
struct minimiser_row {
    const char *name, *sentence;
    cr_status (*run)(struct cr_fit *f);
    bool residual, products;
};
/* Row i, or NULL past the end; that of a name, or NULL. */
const struct minimiser_row *minimiser_row(int i);
const struct minimiser_row *minimiser_find(const char *name);

/* What cr_fit_bind was told. */
struct bound_input {
    char *name;
    cr_dtype dtype;
    void *data;
    size_t bytes;
};

struct tensor_place {
    void *data; /* in the store */
    cr_dtype dtype;
    int64_t count, first; /* numbers, and where they stand in the flat vector */
    void *gradient;       /* bound output */
    size_t bytes;
    int rank;
    int64_t dims[CR_MAX_RANK];
    char *name;
};

struct statistics {
    bool known; /* a least-squares fit with finite residuals and Jacobian */
    int64_t freedom;
    double rss, chi2, scale, condition, r2, log_likelihood; /* scale: what (J^T J)^-1 is multiplied by */
};

struct cr_fit {
    struct mem mem;
    cr_store *store;
    struct function loss_function;      /* loss and gradient */
    struct function curvature_function; /* the Hessian's diagonal at the parameters; may be absent */
    struct product product;             /* the Hessian times vectors */
    struct bound_input *binding;
    size_t bindings, binding_cap;
    bool flush;
    struct tensor_place *place;
    int places;
    int64_t n;    /* numbers in all */
    double *room; /* all vectors below */
    size_t room_count;
    double *x, *g, *best, *start, *trial, *trial_g, *d, *low, *high, *scale, *winner;
    double *s[memory], *y[memory], rho[memory], alpha[memory];
    uint8_t *held; /* fixed */
    int kept, newest;
    bool bounded; /* some bound is finite */
    bool scaled;  /* scale holds the curvature */
    double loss, best_loss, best_norm;
    double loss64;                             /* bound output */
    struct residual *residual;                 /* NULL: the loss is not known as a sum of squares */
    const struct minimiser_row *method, *used; /* method NULL: auto */
    int64_t most_iterations, iterations, evaluations, starts, seed;
    double tolerance, rate; /* tolerance < 0: the method's own */
    bool absolute;          /* sigma is known absolutely */
    cr_fit_progress_fn *progress;
    void *user;
    const char *reason;
    char error[512], warning[512];
    cr_status status; /* of the last evaluation */
    struct statistics statistics;
    double profile_base; /* the sum of squares that a profile rises from */
    bool ran;            /* and came to an end: there are results */
};

/* The loss at x, its gradient in g (0 where parameters are held). inf where it is not finite. */
double fit_evaluate(struct cr_fit *f, const double *x, double *g);
/* Puts numbers into the store's parameters, or takes them (or the gradient) from there. */
void fit_scatter(struct cr_fit *f, const double *x);
void fit_gather(const struct cr_fit *f, bool gradient, double *x);
/* Takes x with its loss and gradient if it is the best so far. */
void fit_keep_best(struct cr_fit *f, const double *x, double loss, const double *g);
/* Is the gradient, as far as bounds do not hold the parameter, within the tolerance? */
bool fit_converged(const struct cr_fit *f, const double *x, double loss, const double *g);
/* Does a bound hold parameter i against a gradient of g? */
bool fit_at_bound(const struct cr_fit *f, int64_t i, double x, double g);
/* Counts the iteration and reports it. False: stop. */
bool fit_report(struct cr_fit *f, double loss, double gradient_norm);
cr_status fit_ended(struct cr_fit *f, const char *reason, cr_status status);
cr_status fit_failed(struct cr_fit *f, cr_status status, const char *sentence);

extern const char fit_tolerance_reached[], fit_no_decrease[], fit_out_of_iterations[];

struct tensor_place *fit_place(const struct cr_fit *f, const char *name); /* NULL: no such parameter */

/* Minimise from f->x; the end is in f->best. Set the reason. All but least squares find f->loss and f->g there. */
cr_status fit_least_squares(struct cr_fit *f);
cr_status fit_lbfgs(struct cr_fit *f);
cr_status fit_cg(struct cr_fit *f);
cr_status fit_newton(struct cr_fit *f);
cr_status fit_trust(struct cr_fit *f);
cr_status fit_descend(struct cr_fit *f);

/* The weighted Jacobian at f->x of the parameters that may move, factorised in the residual's room (w, perm, in), Q^T r in rhs, the
 * relative offset (Bates and Watts 1981): how long the residual's part within the Jacobian's columns is, as a share of all of it. False:
 * not finite, or f->status. */
bool lm_linearise(struct cr_fit *f);

/* After a run: all that statistics.h has, at the parameters found. */
void statistics_find(struct cr_fit *f);

/* The Hessian's diagonal, or what stands for it, at f->x: f->scale[i] = sqrt(|H_ii|), 1 where nothing is known. */
void fit_find_scale(struct cr_fit *f);

#endif

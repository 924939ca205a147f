/* Steps along f->d from f->x, whose loss and gradient are f->loss and f->g. */
#ifndef TRAIN_SEARCH_H
#define TRAIN_SEARCH_H

#include <chainrule.h>

struct cr_fit;

/* A point on the line: how far, the loss there, its slope along the line. */
struct end {
    double a, f, slope;
};

/* A step that meets the strong Wolfe conditions (Nocedal and Wright, 3.5) or, where the loss no longer resolves it, those of Hager and
 * Zhang (2005); tried from `first` on. f->trial, f->trial_g and *at are then its end. False: none, or f->status. Without bounds only. */
bool fit_search(struct cr_fit *f, double first, struct end *at);
/* A step that lowers the loss enough (Armijo), from *rate down by halves; bounds are kept by projection. */
bool fit_backtrack(struct cr_fit *f, double *rate, double *loss);
/* f->trial = f->x + a f->d, within bounds. */
void fit_step_to(struct cr_fit *f, double a);
/* f->trial becomes f->x. */
void fit_move(struct cr_fit *f, double loss);
/* The first step along a fresh direction: so far that no parameter goes much beyond its own size, or the loss's. */
double fit_first_step(const struct cr_fit *f);

/* ---- lines.c: methods that step along lines ---- */

/* 0 where a parameter is fixed, or a bound holds it. */
void fit_drop_held(const struct cr_fit *f, double *v);
/* out = D^-2 v and a D^-2 b, D what f->scale has. */
void fit_scaled(const struct cr_fit *f, const double *v, double *out);
double fit_scaled_dot(const struct cr_fit *f, const double *a, const double *b);
/* f->d = -D^-2 g. Gives the first step: Newton's where D^2 is the Hessian's diagonal, but no longer than the parameters are, both in its
 * scale. */
double fit_gradient_direction(struct cr_fit *f);

/* A loop of such steps ends when it goes in circles. */
struct mark {
    double loss, norm;
    int idle;
};
bool fit_circles(struct mark *m, double loss, double norm);

/* Is the step from f->x to f->trial too short to matter? */
bool fit_stands(const struct cr_fit *f);

struct lines {
    double (*direction)(struct cr_fit *f); /* f->d; gives the step to try first; may set f->status */
    void (*remember)(struct cr_fit *f,
                     bool plain); /* the step from x to trial, along the gradient if plain; may be NULL */
    bool plain_first;             /* the first step is along the gradient */
};
cr_status fit_by_lines(struct cr_fit *f, const struct lines *by);

#endif

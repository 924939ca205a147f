/* Steps along f->d from f->x, whose loss and gradient are f->loss and f->g. */
#ifndef TRAIN_SEARCH_H
#define TRAIN_SEARCH_H

#include <stdbool.h>

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

#endif

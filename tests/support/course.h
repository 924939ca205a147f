/* A training of a small model on 50 observations of y = 3 x - 1. */
#ifndef COURSE_H
#define COURSE_H

#include "support/test.h"

enum { rows = 50 };

/* Models of x and y: a line, and a net with dropout. */
extern const char line[], net[];

struct course {
    cr_context *ctx;
    cr_model *m;
    cr_store *store;
    cr_train *t;
    cr_array *x, *y;
};

/* The model, a store, the data, and the training, for which options are then set; course_end after either. */
cr_status course_begin(struct course *c, const char *text, cr_context *ctx);
void course_end(struct course *c);
void course_set(struct course *c, const char *const options[][2], int n);
struct course course_of(const char *text);
void course_run(struct course *c);
double course_value(const struct course *c, const char *name);

#endif

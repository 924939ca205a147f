/* Emitted C in a program that links nothing of ours, built under strict warnings and run under ASan and UBSan: it holds the numbers that
 * go in and those that should come out. */
#ifndef ALONE_H
#define ALONE_H

#include "support/emitted.h"
#include "support/ways.h"

struct alone {
    struct emitted_set set;
    cr_text *main;
};

/* What a port holds before (NULL: an output) and after (NULL: it is only read). */
struct alone_value {
    const char *name;
    cr_dtype dtype;
    int64_t count;
    const void *before, *after;
};

void alone_start(struct alone *a);
/* A program, so many steps of it (each to give `code`), and what its ports hold. Tolerance: of fractions, times the largest. The first step
 * is number 0, and so is the seed. */
void alone_add(struct alone *a, const char *label, const cr_program *p, int n,
               const struct alone_value value[], int steps, int code, double tolerance);
/* The nodes y of these inputs, each as the library computes it. */
void alone_nodes(struct alone *a, const char *label, int ys, const cr_node y[], int n,
                 const struct given in[], double tolerance);
/* Text of C before main: the user's callbacks. */
void alone_text(struct alone *a, const char *c);
/* Builds and runs all. */
void alone_run(struct alone *a, const char *flags);

#endif

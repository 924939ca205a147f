/* What a report keeps of a training, in room that does not grow with its steps: numbers of neighbouring steps are put together, of
 * epochs some are left out. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "base/text.h"
#include "train/train.h"

enum { report_bins = 256, report_epochs = 256, report_gradients = 128 };

/* Of the finite numbers of one kind in one bin of steps. */
struct cell {
    double low, high, sum;
    int64_t n;
};

/* Kinds of numbers: these, then the metrics, then the gradients by the parameters. */
enum { KIND_RATE, KIND_NORM, KIND_TIME, KIND_METRIC };

struct epoch {
    int64_t epoch, step;
    double seconds, value[train_metrics], validation[train_metrics];
};

/* Of one number of the gradients over all steps. */
struct extent {
    double first, last, low, high;
};

struct cr_report {
    struct mem mem;
    cr_context *ctx;
    struct cr_text title, command;
    int metrics, gradients, kinds; /* 0 kinds: no step yet; gradients: those kept */
    int64_t before, steps, width;  /* steps before the first one seen; seen; of a bin */
    struct cell *cell;             /* [bin][kind] */
    struct extent *extent;         /* of each gradient kept, and of all together */
    struct epoch *epoch;
    int epochs;
    int64_t every; /* of so many epochs one is kept, and the last */
};

static inline const struct cell *report_cell(const struct cr_report *r, int bin, int kind) {
    return &r->cell[bin * r->kinds + kind];
}
int report_bins_used(const struct cr_report *r);
double report_mean(const struct cell *c); /* nan of none */

/* plots.c: the pictures, and what they show by kind of number. */
cr_status report_plots(struct cr_text *out, const struct cr_report *r, const cr_train *t);
cr_status report_times(struct cr_text *out, const struct cr_report *r);
void report_norm_map(struct cr_text *out, const struct cr_report *r, const cr_train *t);

#endif

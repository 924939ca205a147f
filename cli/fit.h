/* The verb fit: what its files share. */
#ifndef FIT_H
#define FIT_H

#include "cli.h"

struct fitting {
    struct session *s;
    const struct arguments *a;
    cr_fit *f;
    double confidence;
    cr_node observed, predicted; /* of the picture; error nodes if there are none */
    const char *starts;          /* how many; NULL: one */
    cr_status status;            /* of the run */
};

/* fit_report.c: the result as text or JSON; is this column the one that is fitted; does the formula have it? */
bool is_fitted(const struct fitting *t, const struct given *column);
bool is_used(const struct fitting *t, const struct given *column);
void fit_text(struct fitting *t);
void fit_json(struct fitting *t);

/* fit_plot.c: data, curve, band and residuals. */
int fit_plot(struct fitting *t, const char *path);

#endif

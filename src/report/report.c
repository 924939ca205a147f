/* Gathering: what a training tells at each step and epoch. */
#include "report/report.h"

#include <math.h>
#include <string.h>

#include "base/context.h"

cr_status cr_report_new(cr_report **out, const char *title, const char *command, cr_context *ctx) {
    if (out) *out = NULL;
    if (!out || !title || !command) return CR_EINVAL;
    struct mem m = context_mem(ctx);
    cr_report *r = mem_zero(&m, sizeof *r);
    if (!r) return CR_ENOMEM;
    r->mem = m;
    r->ctx = ctx;
    r->title = r->command = text_make(&m);
    r->width = r->every = 1;
    text_str(&r->title, title);
    text_str(&r->command, command);
    r->epoch = mem_zero(&m, report_epochs * sizeof *r->epoch);
    if (r->epoch && !r->title.failed && !r->command.failed) return *out = r, CR_OK;
    cr_report_free(r);
    return CR_ENOMEM;
}

void cr_report_free(cr_report *r) {
    if (!r) return;
    struct mem m = r->mem;
    mem_free(&m, r->cell, (size_t)(report_bins * r->kinds) * sizeof *r->cell);
    mem_free(&m, r->extent, (size_t)(r->gradients + 1) * sizeof *r->extent);
    mem_free(&m, r->epoch, report_epochs * sizeof *r->epoch);
    text_drop(&r->title);
    text_drop(&r->command);
    mem_free(&m, r, sizeof *r);
}

/* ---- Steps ---- */

int report_bins_used(const struct cr_report *r) { return (int)((r->steps + r->width - 1) / r->width); }
double report_mean(const struct cell *c) { return c->n ? c->sum / (double)c->n : NAN; }

static void put(struct cell *c, double x) {
    if (!isfinite(x)) return;
    c->low = c->n ? fmin(c->low, x) : x;
    c->high = c->n ? fmax(c->high, x) : x;
    c->sum += x;
    c->n++;
}

static void merge(struct cell *to, const struct cell *a, const struct cell *b) {
    struct cell c = a->n ? *a : *b;
    if (a->n && b->n)
        c = (struct cell){fmin(a->low, b->low), fmax(a->high, b->high), a->sum + b->sum, a->n + b->n};
    *to = c;
}

/* Twice as many steps in half as many bins. */
static void halve(struct cr_report *r) {
    for (int i = 0; i < report_bins / 2; i++)
        for (int k = 0; k < r->kinds; k++)
            merge(&r->cell[i * r->kinds + k], report_cell(r, 2 * i, k), report_cell(r, 2 * i + 1, k));
    size_t half = (size_t)(report_bins / 2 * r->kinds);
    memset(r->cell + half, 0, half * sizeof *r->cell);
    r->width *= 2;
}

static cr_status begin(struct cr_report *r, const cr_train *t) {
    int gradients = t->gradients < report_gradients ? t->gradients : report_gradients;
    int kinds = KIND_METRIC + t->metrics + gradients;
    struct cell *cell = mem_zero(&r->mem, (size_t)(report_bins * kinds) * sizeof *cell);
    struct extent *extent = mem_zero(&r->mem, (size_t)(gradients + 1) * sizeof *extent);
    if (!cell || !extent) {
        mem_free(&r->mem, cell, (size_t)(report_bins * kinds) * sizeof *cell);
        mem_free(&r->mem, extent, (size_t)(gradients + 1) * sizeof *extent);
        return CR_ENOMEM;
    }
    r->cell = cell, r->extent = extent;
    r->metrics = t->metrics, r->gradients = gradients, r->kinds = kinds;
    r->before = t->step - 1;
    return CR_OK;
}

static void extend(struct extent *e, double x, bool first) {
    e->first = first ? x : e->first;
    e->low = first ? x : fmin(e->low, x);
    e->high = first ? x : fmax(e->high, x);
    e->last = x;
}

/* Of all gradients as one vector, kept or not. */
static double whole_norm(const cr_train *t) {
    double norm = 0, x;
    for (int i = 0; cr_train_gradient(t, i, &x); i++) norm = hypot(norm, x);
    return t->gradients ? norm : NAN;
}

cr_status cr_report_step(cr_report *r, const cr_train *t, double seconds) {
    if (!r || !t || !t->step) return CR_EINVAL;
    cr_status status = r->kinds ? CR_OK : begin(r, t);
    if (status) return status;
    if (r->steps == report_bins * r->width) halve(r);
    struct cell *c = &r->cell[r->steps / r->width * r->kinds];
    double norm = whole_norm(t);
    put(&c[KIND_RATE], cr_train_rate(t));
    put(&c[KIND_NORM], norm);
    extend(&r->extent[r->gradients], norm, r->steps == 0);
    if (r->steps) put(&c[KIND_TIME], seconds); /* the first one compiles, too */
    for (int i = 0; i < r->metrics; i++) put(&c[KIND_METRIC + i], cr_train_last(t, i));
    for (int i = 0; i < r->gradients; i++) {
        cr_train_gradient(t, i, &norm);
        put(&c[KIND_METRIC + r->metrics + i], norm);
        extend(&r->extent[i], norm, r->steps == 0);
    }
    r->steps++;
    return CR_OK;
}

/* ---- Epochs ---- */

/* Of what is kept every second one goes. */
static void thin_epochs(struct cr_report *r) {
    int n = 0;
    r->every *= 2;
    for (int i = 0; i < r->epochs; i++)
        if (r->epoch[i].epoch % r->every == 0) r->epoch[n++] = r->epoch[i];
    r->epochs = n;
}

cr_status cr_report_epoch(cr_report *r, const cr_train *t, double seconds) {
    if (!r || !t) return CR_EINVAL;
    struct epoch e = {.epoch = cr_train_epoch(t), .step = cr_train_step(t), .seconds = seconds};
    for (int i = 0; i < t->metrics; i++) cr_train_metric(t, i, &e.value[i], &e.validation[i]);
    if (r->epochs && r->epoch[r->epochs - 1].epoch % r->every)
        r->epochs--; /* it was the last one, and kept as that */
    if (r->epochs == report_epochs) thin_epochs(r);
    r->epoch[r->epochs++] = e;
    return CR_OK;
}

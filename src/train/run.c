/* The run of a fit: from the start, or several, to the best end. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "device/special.h"
#include "tensor/dtype.h"
#include "train/fit.h"

/* ---- Starts ---- */

static double uniform(int64_t key, int64_t i) {
    return ((double)(philox_bits(key, i) >> 11) + 0.5) * 0x1p-53;
}

/* Start number k > 0: between two bounds anywhere alike; else the given start (1 for 0) times 10^u, every fourth with the other sign, u
 * up to 1 either way at first, to 5 from start 17 on. */
static double another(const struct cr_fit *f, int64_t i, int64_t k) {
    int64_t key = philox_fold(f->seed, k);
    double u = uniform(key, 2 * i), v = uniform(key, 2 * i + 1), x = f->start[i] == 0 ? 1 : f->start[i];
    if (isfinite(f->low[i]) && isfinite(f->high[i])) return f->low[i] + u * (f->high[i] - f->low[i]);
    double decades = fmin(1 + (double)(k - 1) / 4, 5), to = x * pow(10, decades * (2 * u - 1));
    return v < 0.25 ? -to : to;
}

static void choose_start(struct cr_fit *f, int64_t start) {
    for (int64_t i = 0; i < f->n; i++) {
        double x = start && !f->held[i] ? another(f, i, start) : f->start[i];
        f->x[i] = f->held[i] ? x : fmin(fmax(x, f->low[i]), f->high[i]);
    }
}

/* ---- One start ---- */

static cr_status descend(struct cr_fit *f) {
    f->loss = fit_evaluate(f, f->x, f->g);
    if (f->status) return f->status;
    if (isinf(f->loss)) return CR_ENAN;
    fit_keep_best(f, f->x, f->loss, f->g);
    return f->used->run(f);
}

/* Was it the data? Numbers that are missing are nan. */
static bool say_bad_input(struct cr_fit *f) {
    struct cr_text t = text_make(&f->mem);
    for (size_t k = 0; k < f->bindings && !t.n; k++) {
        const struct bound_input *b = &f->binding[k];
        int64_t n = (int64_t)(b->bytes / cr_dtype_size(b->dtype)), i = 0;
        while (i < n && isfinite(dtype_get(b->dtype, b->data, i))) i++;
        if (n == 0) text_add(&t, "'%s' holds no numbers", b->name);
        else if (i < n)
            text_add(&t, "'%s': number %lld is %g: mend or leave out that observation", b->name,
                     (long long)i + 1, dtype_get(b->dtype, b->data, i));
    }
    bool said = t.n > 0;
    f->reason = "the data holds no numbers, or one that is not finite";
    if (said) fit_failed(f, CR_ENAN, t.failed ? f->reason : cr_text_str(&t));
    text_drop(&t);
    return said;
}

/* Where the start gives no number: how many residuals, the first of them, and the values that did it. */
static cr_status say_not_finite(struct cr_fit *f) {
    if (say_bad_input(f)) return CR_ENAN;
    struct cr_text t = text_make(&f->mem);
    const struct residual *s = f->used->residual ? f->residual : NULL;
    long long bad = 0, first = 0;
    for (int64_t i = s ? s->m : 0; i-- > 0;)
        if (!isfinite(s->r[i])) bad++, first = i + 1;
    f->reason = "the loss or its derivative is not finite at the starting values";
    if (bad)
        text_add(&t, "%lld of %lld residuals are not finite, number %lld the first, ", bad, (long long)s->m,
                 first);
    else if (s && isinf(s->cost)) text_str(&t, "the squares of the residuals overflow ");
    else text_str(&t, "the loss or its derivative is not finite ");
    text_str(&t, "at the starting values");
    for (int64_t i = 0; i < f->n && i < 8; i++) {
        text_str(&t, i ? ", " : " ");
        cr_fit_label(&t, f, i);
        text_str(&t, " = ");
        text_number(&t, f->x[i]);
    }
    text_str(&t, f->n > 8 ? ", ...: choose others" : ": choose others");
    if (s && !bad && isinf(s->cost)) text_str(&t, ", or other units for the data");
    fit_failed(f, CR_ENAN, t.failed ? f->reason : cr_text_str(&t));
    text_drop(&t);
    return CR_ENAN;
}

static cr_status run_one(struct cr_fit *f) {
    f->best_loss = f->best_norm = INFINITY;
    cr_status status = f->used->residual ? f->used->run(f) : descend(f);
    return status == CR_ENAN ? say_not_finite(f) : status;
}

/* ---- All ---- */

static bool ended(cr_status s) { return s == CR_OK || s == CR_ESTOPPED || s == CR_EFAIL; }

/* A fit that came to its end is better than one that did not; then the lesser loss, by more than rounding. */
static bool better(cr_status status, double loss, cr_status than, double than_loss) {
    if (!ended(status)) return false;
    return !ended(than) || loss < than_loss - 1e-9 * fabs(than_loss) || (isinf(than_loss) && isfinite(loss));
}

static cr_status run_starts(struct cr_fit *f) {
    double loss = INFINITY, norm = INFINITY;
    const char *reason = f->reason;
    cr_status best = CR_ENAN;
    for (int64_t k = 0; k < f->starts; k++) {
        choose_start(f, k);
        cr_status status = run_one(f);
        if (k == 0) best = status, reason = f->reason;
        if (better(status, f->best_loss, k ? best : CR_ENAN, loss)) {
            memcpy(f->winner, f->best, (size_t)f->n * sizeof *f->best);
            best = status, loss = f->best_loss, norm = f->best_norm, reason = f->reason;
        }
        if (status == CR_ESTOPPED || (!ended(status) && status != CR_ENAN)) break;
    }
    f->best_loss = loss, f->best_norm = norm, f->reason = reason;
    if (ended(best)) f->error[0] = 0;
    return best;
}

static cr_status choose_method(struct cr_fit *f) {
    f->used = f->method ? f->method : minimiser_row(f->residual ? 0 : 1);
    bool weighed = f->residual && (f->residual->has_sigma || f->residual->robust.kind);
    if (f->used->residual && !f->residual)
        return fit_failed(f, CR_EINVAL,
                          "method lm: the loss is not known as a sum of squares: write it as a sum or mean "
                          "of squares, or call "
                          "the residual `residual`");
    if (!f->used->residual && weighed)
        return fit_failed(f, CR_EINVAL,
                          "sigma and robust losses are for method lm: others take them from the formula");
    return f->used->products ? product_make(f) : CR_OK;
}

cr_status cr_fit_run(cr_fit *f) {
    if (!f) return CR_EINVAL;
    f->error[0] = f->warning[0] = 0;
    f->ran = false;
    f->statistics = (struct statistics){0};
    f->iterations = f->evaluations = 0;
    cr_status status = choose_method(f);
    if (status) return status;
    fit_gather(f, false, f->start);
    status = run_starts(f);
    f->ran = ended(status);
    if (f->ran) statistics_find(f);
    fit_scatter(f, f->ran ? f->winner : f->start);
    return status;
}

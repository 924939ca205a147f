/* Options of a fit: by name, and those of single parameters and observations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "train/fit.h"

struct tensor_place *fit_place(const struct cr_fit *f, const char *name) {
    for (int i = 0; name && i < f->places; i++)
        if (strcmp(f->place[i].name, name) == 0) return &f->place[i];
    return NULL;
}

static cr_status set_method(cr_fit *f, const char *value) {
    const struct minimiser_row *row = minimiser_find(value);
    if (!row && strcmp(value, "auto") != 0) return CR_EINVAL;
    f->method = row;
    return CR_OK;
}

static cr_status set_robust(cr_fit *f, const char *value) {
    int kind = robust_parse(value);
    if (kind < 0) return CR_EINVAL;
    if (kind && !f->residual) return fit_failed(f, CR_EINVAL, "the loss is not known as a sum of squares");
    if (f->residual) f->residual->robust.kind = (enum robust_kind)kind;
    return CR_OK;
}

static cr_status set_flush(cr_fit *f, const char *value) {
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0) return CR_EINVAL;
    f->flush = *value == '1';
    function_flush(&f->loss_function, f->flush);
    function_flush(&f->product.function, f->flush);
    function_flush(&f->curvature_function, f->flush);
    if (f->residual) function_flush(&f->residual->value, f->flush);
    if (f->residual) function_flush(&f->residual->jacobian_function, f->flush);
    return CR_OK;
}

static bool integer(double x) { return x >= 0 && x < 0x1p53 && x == floor(x); }

/* Its square, and the square over a residual's, are numbers that neither overflow nor vanish. */
static bool is_scale(double x) { return x >= 1e-100 && x <= 1e100; }

cr_status cr_fit_set(cr_fit *f, const char *name, const char *value) {
    double x;
    if (!f || !name || !value) return CR_EINVAL;
    if (strcmp(name, "method") == 0) return set_method(f, value);
    if (strcmp(name, "robust") == 0) return set_robust(f, value);
    if (strcmp(name, "flush_denormals") == 0) return set_flush(f, value);
    size_t n = strlen(value);
    if (n == 0 || text_parse_number(value, n, &x) != n) return CR_EINVAL;
    if (strcmp(name, "iterations") == 0 && integer(x)) return f->most_iterations = (int64_t)x, CR_OK;
    if (strcmp(name, "tolerance") == 0 && x >= 0 && x <= 1) return f->tolerance = x, CR_OK;
    if (strcmp(name, "starts") == 0 && integer(x) && x > 0) return f->starts = (int64_t)x, CR_OK;
    if (strcmp(name, "seed") == 0 && integer(x)) return f->seed = (int64_t)x, CR_OK;
    if (strcmp(name, "absolute_sigma") == 0 && (x == 0 || x == 1)) return f->absolute = x == 1, CR_OK;
    if (strcmp(name, "robust_scale") == 0 && is_scale(x) && f->residual)
        return f->residual->robust.scale = x, CR_OK;
    return strcmp(name, "rate") == 0 && x > 0 && isfinite(x) ? (f->rate = x, CR_OK) : CR_EINVAL;
}

static cr_status unknown(cr_fit *f, const char *what, const char *name) {
    snprintf(f->error, sizeof f->error, "%s: '%s' is no parameter that is fitted", what, name ? name : "");
    return CR_ENAME;
}

cr_status cr_fit_fix(cr_fit *f, const char *name, bool fixed) {
    if (!f) return CR_EINVAL;
    struct tensor_place *p = fit_place(f, name);
    if (!p) return unknown(f, "fix", name);
    memset(f->held + p->first, fixed, (size_t)p->count);
    return CR_OK;
}

cr_status cr_fit_bounds(cr_fit *f, const char *name, double low, double high) {
    if (!f) return CR_EINVAL;
    struct tensor_place *p = fit_place(f, name);
    if (!p) return unknown(f, "bounds", name);
    if (!(low <= high) || low == INFINITY || high == -INFINITY) {
        snprintf(f->error, sizeof f->error,
                 "bounds: of '%s' the lower one (%g) is not below the upper one (%g)", name, low, high);
        return CR_EINVAL;
    }
    for (int64_t i = 0; i < p->count; i++) f->low[p->first + i] = low, f->high[p->first + i] = high;
    f->bounded = false;
    for (int64_t i = 0; i < f->n; i++) f->bounded = f->bounded || isfinite(f->low[i]) || isfinite(f->high[i]);
    return CR_OK;
}

cr_status cr_fit_sigma(cr_fit *f, int64_t n, const double sigma[]) {
    if (!f || (n && !sigma)) return CR_EINVAL;
    struct residual *s = f->residual;
    if (!s)
        return fit_failed(f, CR_EINVAL,
                          "sigma: the loss is no sum of squares, so errors of its terms are not known");
    if (n != 0 && n != s->m) {
        snprintf(f->error, sizeof f->error, "sigma: %lld numbers for %lld residuals", (long long)n,
                 (long long)s->m);
        return CR_ESHAPE;
    }
    for (int64_t i = 0; i < n; i++)
        if (!(sigma[i] > 0) || isinf(sigma[i])) {
            snprintf(f->error, sizeof f->error, "sigma: number %lld is %g, expected positive and finite",
                     (long long)i + 1, sigma[i]);
            return CR_EINVAL;
        }
    for (int64_t i = 0; i < n; i++) s->over_sigma[i] = 1 / sigma[i];
    s->has_sigma = n > 0;
    return CR_OK;
}

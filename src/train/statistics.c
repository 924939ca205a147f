/* What a least-squares fit says of its parameters: errors, covariance, and how well it fits. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "train/fit.h"
#include "train/qr.h"
#include "train/student.h"

static const double pi = 3.14159265358979323846;

/* A combination of parameters whose singular value is below this share of the largest is not determined by the data: J's own rounding
 * may be all there is of it. Above it but below the second, errors are only rough. */
static const double not_determined = 1e-14, nearly_singular = 1e-10;

/* ---- Covariance: (J^T J)^-1 by singular values of R with columns of length 1 ---- */

static void scaled_r(const struct residual *s, double *a) {
    int n = s->in_n;
    memset(a, 0, (size_t)n * (size_t)n * sizeof *a);
    for (int k = 0; k < n; k++)
        for (int i = 0; i <= k; i++)
            a[k * n + i] = s->w[k * s->rows + i] / (s->norm[s->perm[k]] > 0 ? s->norm[s->perm[k]] : 1);
}

/* Adds the share of singular vector l. */
static void add_share(struct residual *s, const double *v, double singular) {
    for (int k = 0; k < s->in_n; k++)
        for (int i = 0; i < s->in_n; i++) {
            double by = v[k] / singular / s->norm[s->perm[k]] * (v[i] / singular / s->norm[s->perm[i]]);
            s->covariance[s->in[s->perm[k]] * s->n + s->in[s->perm[i]]] += by;
        }
}

static void mark_undetermined(struct residual *s, const double *v) {
    enum { part = 10 }; /* takes part in the combination with a tenth or more */
    for (int k = 0; k < s->in_n; k++)
        if (fabs(v[k]) * part > 1) s->undetermined[s->in[s->perm[k]]] = 1;
}

static void find_covariance(struct residual *s, double *condition) {
    int n = s->in_n;
    double *a = s->stack, *v = s->stack + n * n, most = 0, least = INFINITY;
    memset(s->covariance, 0, (size_t)s->n * (size_t)s->n * sizeof *s->covariance);
    memset(s->undetermined, 0, (size_t)s->n * sizeof *s->undetermined);
    scaled_r(s, a);
    qr_svd(n, a, s->u, v);
    for (int l = 0; l < n; l++) most = fmax(most, s->u[l]), least = fmin(least, s->u[l]);
    for (int l = 0; l < n; l++) {
        if (s->u[l] > not_determined * most) add_share(s, v + l * n, s->u[l]);
        else mark_undetermined(s, v + l * n);
    }
    *condition = n ? most / least : 1;
}

/* ---- The scale of the covariance ---- */

/* Of robust losses: K^2 (sum psi^2 / freedom) / (mean psi')^2 (Huber 1981, 7.6). */
static double robust_scale(const struct residual *s, int64_t freedom) {
    double squares = 0, sum = 0, square_sum = 0, m = (double)s->m;
    for (int64_t i = 0; i < s->m; i++) {
        double psi, slope;
        robust_influence(&s->robust, s->r[i], &psi, &slope);
        squares += psi * psi, sum += slope, square_sum += slope * slope;
    }
    double mean = sum / m, spread = square_sum / m - mean * mean;
    double k = 1 + s->in_n / m * spread / (mean * mean);
    return k * k * squares / (double)freedom / (mean * mean);
}

static double find_scale(const struct cr_fit *f, const struct statistics *t) {
    const struct residual *s = f->residual;
    if (f->absolute && s->has_sigma) return 1;
    if (t->freedom <= 0) return NAN;
    return s->robust.kind ? robust_scale(s, t->freedom) : t->rss / (double)t->freedom;
}

/* ---- How well it fits ---- */

/* The whole weight of residual i: of the model and of sigma. */
static double weight(const struct residual *s, int64_t i) {
    return (s->has_weight ? s->weight[i] : 1) * (s->has_sigma ? s->over_sigma[i] : 1);
}

/* 1 - RSS / sum of squares about the mean, both weighted. `observed` holds the model's weights already. */
static double find_r2(const struct residual *s, double rss) {
    double sum = 0, weights = 0, total = 0;
    if (!s->has_observed) return NAN;
    for (int64_t i = 0; i < s->m; i++) {
        double w = weight(s, i), y = s->observed[i] * (s->has_sigma ? s->over_sigma[i] : 1);
        sum += w * y, weights += w * w;
    }
    for (int64_t i = 0; i < s->m; i++) {
        double y = s->observed[i] * (s->has_sigma ? s->over_sigma[i] : 1) - weight(s, i) * (sum / weights);
        total += y * y;
    }
    return 1 - rss / total;
}

/* Of normal errors, whose size is fitted too unless sigma is known absolutely. */
static double find_likelihood(const struct cr_fit *f, double rss) {
    const struct residual *s = f->residual;
    double m = (double)s->m, logs = 0;
    for (int64_t i = 0; i < s->m; i++) logs += log(weight(s, i));
    if (f->absolute && s->has_sigma) return logs - (rss + m * log(2 * pi)) / 2;
    return logs - m / 2 * (log(2 * pi * rss / m) + 1);
}

/* ---- Words of warning ---- */

static void warn_undetermined(struct cr_fit *f) {
    const struct residual *s = f->residual;
    struct cr_text t = text_make(&f->mem);
    int named = 0;
    for (int k = 0; k < s->n; k++) {
        if (!s->undetermined[k]) continue;
        text_str(&t, named++ ? ", " : "not determined by the data: ");
        cr_fit_label(&t, f, k);
    }
    text_str(&t, named > 1 ? " (changes of them together leave the residuals as they are)" : "");
    const char *said = t.failed ? "some parameters are not determined by the data" : cr_text_str(&t);
    if (named) snprintf(f->warning, sizeof f->warning, "%s", said);
    text_drop(&t);
}

static void warn(struct cr_fit *f) {
    const struct statistics *t = &f->statistics;
    warn_undetermined(f);
    if (f->warning[0]) return;
    if (t->condition * nearly_singular > 1)
        snprintf(
            f->warning, sizeof f->warning,
            "the Jacobian is nearly singular (condition number %.1e): errors and the last digits are rough",
            t->condition);
    else if (t->freedom <= 0)
        snprintf(f->warning, sizeof f->warning,
                 "no more observations than parameters: there are no standard errors");
}

void statistics_find(struct cr_fit *f) {
    struct residual *s = f->residual;
    struct statistics *t = &f->statistics;
    if (!s) return;
    struct robust robust = s->robust;
    memcpy(f->x, f->winner, (size_t)f->n * sizeof *f->x);
    if (!residual_at(f, f->x, s->r)) return;
    s->robust.kind = ROBUST_NONE;
    bool good = lm_linearise(f);
    s->robust = robust;
    if (!good) return;
    t->known = true;
    t->freedom = s->m - s->in_n;
    t->rss = robust_cost(&(struct robust){ROBUST_NONE, 1}, s->m, s->r);
    find_covariance(s, &t->condition);
    t->scale = find_scale(f, t);
    t->r2 = find_r2(s, t->rss);
    t->log_likelihood = find_likelihood(f, t->rss);
    warn(f);
}

/* ---- Getters ---- */

int64_t cr_fit_count(const cr_fit *f) { return f ? f->n : 0; }

static const struct tensor_place *place_of(const cr_fit *f, int64_t i) {
    for (int k = 0; f && k < f->places; k++)
        if (i >= f->place[k].first && i < f->place[k].first + f->place[k].count) return &f->place[k];
    return NULL;
}

cr_status cr_fit_label(cr_text *out, const cr_fit *f, int64_t i) {
    const struct tensor_place *p = place_of(f, i);
    int64_t index[CR_MAX_RANK];
    if (!out || !p) return CR_EINVAL;
    text_str(out, p->name);
    i -= p->first;
    for (int k = p->rank; k-- > 0; i /= p->dims[k]) index[k] = i % p->dims[k];
    if (p->rank) text_dims(out, p->rank, index);
    return text_status(out);
}

static bool good(const cr_fit *f, int64_t i) { return f && f->ran && i >= 0 && i < f->n; }
static bool known(const cr_fit *f, int64_t i) { return good(f, i) && f->statistics.known; }

double cr_fit_estimate(const cr_fit *f, int64_t i) { return good(f, i) ? f->winner[i] : NAN; }

double cr_fit_covariance(const cr_fit *f, int64_t i, int64_t j) {
    if (!known(f, i) || !known(f, j)) return NAN;
    const struct residual *s = f->residual;
    if (s->undetermined[i] || s->undetermined[j]) return NAN;
    return f->statistics.scale * s->covariance[i * s->n + j];
}

double cr_fit_standard_error(const cr_fit *f, int64_t i) { return sqrt(cr_fit_covariance(f, i, i)); }

double cr_fit_correlation(const cr_fit *f, int64_t i, int64_t j) {
    return cr_fit_covariance(f, i, j) / (cr_fit_standard_error(f, i) * cr_fit_standard_error(f, j));
}

/* With sigma known absolutely nothing is estimated from the residuals: the normal distribution. */
static double freedom_of(const cr_fit *f) {
    return f->absolute && f->residual->has_sigma ? INFINITY : (double)f->statistics.freedom;
}

double cr_fit_quantile(const cr_fit *f, double confidence) {
    return known(f, 0) ? student_quantile(confidence, freedom_of(f)) : NAN;
}

cr_status cr_fit_interval(const cr_fit *f, int64_t i, double confidence, double *low, double *high) {
    if (low) *low = NAN;
    if (high) *high = NAN;
    if (!known(f, i) || !low || !high || !(confidence > 0 && confidence < 1)) return CR_EINVAL;
    double half = cr_fit_quantile(f, confidence) * cr_fit_standard_error(f, i);
    *low = f->winner[i] - half, *high = f->winner[i] + half;
    return CR_OK;
}

double cr_fit_significance(const cr_fit *f, int64_t i) {
    return known(f, i) ? student_tails(f->winner[i] / cr_fit_standard_error(f, i), freedom_of(f)) : NAN;
}

const char *cr_fit_state(const cr_fit *f, int64_t i) {
    if (!good(f, i)) return "";
    if (f->held[i]) return "fixed";
    if (f->winner[i] <= f->low[i] || f->winner[i] >= f->high[i]) return "at a bound";
    return f->statistics.known && f->residual->undetermined[i] ? "not determined" : "free";
}

const char *cr_fit_warning(const cr_fit *f) { return f && f->warning[0] ? f->warning : NULL; }

const double *cr_fit_residuals(const cr_fit *f, int64_t *count) {
    bool there = f && f->ran && f->statistics.known;
    if (count) *count = there ? f->residual->m : 0;
    return there ? f->residual->r : NULL;
}

double cr_fit_statistic(const cr_fit *f, const char *name) {
    if (!f || !name || !f->ran || !f->statistics.known) return NAN;
    const struct statistics *t = &f->statistics;
    bool absolute = f->absolute && f->residual->has_sigma;
    double m = (double)f->residual->m, k = f->residual->in_n + !absolute;
    const struct {
        const char *name;
        double value;
    } row[] = {{"observations", m},
               {"parameters", f->residual->in_n},
               {"freedom", (double)t->freedom},
               {"rss", t->rss},
               {"residual_deviation", t->freedom > 0 ? sqrt(t->rss / (double)t->freedom) : NAN},
               {"chi2", f->residual->has_sigma || f->residual->has_weight ? t->rss : NAN},
               {"reduced_chi2",
                f->residual->has_sigma || f->residual->has_weight ? t->rss / (double)t->freedom : NAN},
               {"r2", t->r2},
               {"log_likelihood", t->log_likelihood},
               {"aic", 2 * k - 2 * t->log_likelihood},
               {"bic", k * log(m) - 2 * t->log_likelihood},
               {"condition", t->condition}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strcmp(row[i].name, name) == 0) return row[i].value;
    return NAN;
}

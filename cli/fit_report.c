/* The result of a fit, as text or JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"

static const char *label(struct fitting *t, int64_t i) {
    cr_text_clear(t->s->text);
    cr_fit_label(t->s->text, t->f, i);
    return cr_text_str(t->s->text);
}

static double statistic(const struct fitting *t, const char *name) { return cr_fit_statistic(t->f, name); }

/* ---- Text ---- */

static int label_width(struct fitting *t) {
    int most = 0;
    for (int64_t i = 0; i < cr_fit_count(t->f); i++) {
        int n = (int)strlen(label(t, i));
        if (n > most) most = n;
    }
    return most;
}

static void text_row(struct fitting *t, int64_t i, int width) {
    double low, high;
    const char *state = cr_fit_state(t->f, i);
    printf("%-*s = %.12g", width, label(t, i), cr_fit_estimate(t->f, i));
    if (strcmp(state, "free") != 0) printf(" (%s)", state);
    else if (!isnan(cr_fit_standard_error(t->f, i)) &&
             cr_fit_interval(t->f, i, t->confidence, &low, &high) == CR_OK) {
        int used = snprintf(NULL, 0, "%.12g", cr_fit_estimate(t->f, i));
        printf("%*s %-14.6g %12.6g .. %-12.6g %8.2g", used < 17 ? 17 - used : 0, "",
               cr_fit_standard_error(t->f, i), low, high, cr_fit_significance(t->f, i));
        if (t->a->profile && cr_fit_profile(t->f, i, t->confidence, &low, &high) == CR_OK)
            printf("   %12.6g .. %.6g", low, high);
    }
    putchar('\n');
}

static void text_heading(struct fitting *t, int width) {
    char interval[32];
    snprintf(interval, sizeof interval, "%g%% interval", 100 * t->confidence);
    printf("%*s   %-17s %-14s %-28s %8s", width, "", "estimate", "standard error", interval, "P(>|t|)");
    puts(t->a->profile ? "   interval by profile likelihood" : "");
}

static void text_correlations(struct fitting *t, int width) {
    enum { most = 9 };
    int64_t index[most], n = 0;
    for (int64_t i = 0; i < cr_fit_count(t->f); i++)
        if (strcmp(cr_fit_state(t->f, i), "free") == 0) {
            if (n == most) return;
            index[n++] = i;
        }
    if (n < 2 || isnan(cr_fit_correlation(t->f, index[0], index[1]))) return;
    puts("\ncorrelation");
    for (int64_t i = 0; i < n; i++) {
        printf("%-*s  ", width, label(t, index[i]));
        for (int64_t j = 0; j < i; j++) printf(" %7.4f", cr_fit_correlation(t->f, index[i], index[j]));
        puts(" 1");
    }
}

static void text_statistics(struct fitting *t) {
    double r2 = statistic(t, "r2"), chi2 = statistic(t, "chi2");
    printf("\nresidual sum of squares     %.12g\n", statistic(t, "rss"));
    if (!isnan(statistic(t, "residual_deviation")))
        printf("residual standard deviation %.12g (%g degrees of freedom)\n",
               statistic(t, "residual_deviation"), statistic(t, "freedom"));
    if (!isnan(chi2))
        printf("chi^2                       %.6g, reduced %.6g\n", chi2, statistic(t, "reduced_chi2"));
    if (!isnan(r2)) printf("R^2                         %.10g\n", r2);
    printf("AIC, BIC                    %.6g, %.6g\n", statistic(t, "aic"), statistic(t, "bic"));
}

/* ---- Names that became parameters, where a column may have been meant ---- */

bool is_used(const struct fitting *t, const struct given *column) {
    cr_node x = cr_find(t->s->graph, column->name);
    return cr_ok(x) && strcmp(cr_op_of(x), "input") == 0;
}

static const struct given *meant(const struct fitting *t, const char *name) {
    for (const struct given *g = t->a->given; g; g = g->next)
        if (g->optional && !is_used(t, g) && is_near(name, g->name)) return g;
    return NULL;
}

/* The column that is fitted: where the formula is called so, its input is "y observed". */
bool is_fitted(const struct fitting *t, const struct given *column) {
    const char *of = t->observed.id ? cr_name(t->observed) : "";
    bool begins = strncmp(of, column->name, column->name_size) == 0;
    return begins && (!of[column->name_size] || strcmp(of + column->name_size, " observed") == 0);
}

/* Is the formula but for the column that it is of without any? A constant is meant so. */
static bool is_without_columns(const struct fitting *t) {
    bool others = false;
    for (const struct given *g = t->a->given; g; g = g->next) {
        cr_node x = cr_find(t->s->graph, g->name);
        bool is_it = is_fitted(t, g);
        if (g->optional && is_it && cr_ok(x) && strcmp(cr_op_of(x), "param") == 0) return false;
        if (g->optional && !is_it && is_used(t, g)) return false;
        others = others || (g->optional && !is_it);
    }
    return others && t->observed.id;
}

static void text_notes(struct fitting *t) {
    const char *name;
    int n = 0;
    for (int i = 0; (name = cr_model_free_name(t->s->model, i)); i++) {
        const struct given *near = find_given(t->a->given, name) ? NULL : meant(t, name);
        if (near)
            printf("\nnote: %s has no column '%s', which is fitted as a parameter: did you mean '%s'?\n",
                   t->a->data, name, near->name);
        if (near) return;
    }
    if (!is_without_columns(t)) return;
    fputs("\nnote: the formula has none of the other columns", stdout);
    for (const struct given *g = t->a->given; g; g = g->next)
        if (g->optional && !is_fitted(t, g)) printf("%s %s", n++ ? "," : "", g->name);
    printf(" of %s: fitted as parameters are", t->a->data);
    for (int i = 0; i < t->s->n; i++) printf("%s %s", i ? "," : "", cr_name(t->s->wrt[i]));
    putchar('\n');
}

void fit_text(struct fitting *t) {
    bool known = !isnan(statistic(t, "rss"));
    int width = label_width(t);
    if (known) text_heading(t, width);
    for (int64_t i = 0; i < cr_fit_count(t->f); i++) text_row(t, i, width);
    if (known) text_statistics(t);
    if (known) text_correlations(t, width);
    if (cr_fit_warning(t->f)) printf("\nwarning: %s\n", cr_fit_warning(t->f));
    text_notes(t);
    printf("\nloss %.12g, largest component of its gradient %.2g\n", cr_fit_loss(t->f),
           cr_fit_gradient_norm(t->f));
    printf("%s: %lld iterations, %lld evaluations%s%s%s; ended since %s\n", cr_fit_method(t->f),
           (long long)cr_fit_iterations(t->f), (long long)cr_fit_evaluations(t->f), t->starts ? " from " : "",
           t->starts ? t->starts : "", t->starts ? " starts" : "", cr_fit_reason(t->f));
}

/* ---- JSON ---- */

/* A number with the fewest digits that read back the same; nan (there is none) as null. */
static void number(double x) {
    char text[40];
    if (isnan(x)) {
        fputs("null", stdout);
        return;
    }
    if (isinf(x)) {
        fputs(x > 0 ? "\"inf\"" : "\"-inf\"", stdout);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    fputs(text, stdout);
}

static void member(const char *before, const char *name, double x) {
    printf("%s\"%s\": ", before, name);
    number(x);
}

static void json_parameters(struct fitting *t) {
    for (int i = 0; i < t->s->n; i++) {
        cr_array *v = NULL;
        cr_text_clear(t->s->text);
        if (cr_eval_array(&v, t->s->eval, t->s->wrt[i]) == CR_OK) cr_array_print(t->s->text, v, true);
        printf("%s\"%s\": %s", i ? ", " : "", cr_name(t->s->wrt[i]), cr_text_str(t->s->text));
        cr_array_free(v);
    }
}

static void json_estimate(struct fitting *t, int64_t i) {
    double low = NAN, high = NAN;
    printf("%s{\"name\": \"%s\"", i ? ", " : "", label(t, i));
    printf(", \"state\": \"%s\"", cr_fit_state(t->f, i));
    member(", ", "estimate", cr_fit_estimate(t->f, i));
    member(", ", "standard_error", cr_fit_standard_error(t->f, i));
    cr_fit_interval(t->f, i, t->confidence, &low, &high);
    member(", ", "low", low), member(", ", "high", high);
    member(", ", "p", cr_fit_significance(t->f, i));
    if (t->a->profile) {
        cr_fit_profile(t->f, i, t->confidence, &low, &high);
        member(", ", "profile_low", low), member(", ", "profile_high", high);
    }
    putchar('}');
}

static void json_matrix(struct fitting *t, const char *name, double (*of)(const cr_fit *, int64_t, int64_t)) {
    printf(", \"%s\": [", name);
    for (int64_t i = 0; i < cr_fit_count(t->f); i++) {
        fputs(i ? ", [" : "[", stdout);
        for (int64_t j = 0; j < cr_fit_count(t->f); j++) {
            if (j) fputs(", ", stdout);
            number(of(t->f, i, j));
        }
        putchar(']');
    }
    putchar(']');
}

static void json_statistics(struct fitting *t) {
    static const char *const names[] = {"observations", "freedom",        "rss",      "residual_deviation",
                                        "chi2",         "reduced_chi2",   "r2",       "aic",
                                        "bic",          "log_likelihood", "condition"};
    printf(", \"statistics\": {");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        member(i ? ", " : "", names[i], statistic(t, names[i]));
    member(", ", "confidence", t->confidence);
    fputs("}, \"estimates\": [", stdout);
    for (int64_t i = 0; i < cr_fit_count(t->f); i++) json_estimate(t, i);
    putchar(']');
    json_matrix(t, "covariance", cr_fit_covariance);
    json_matrix(t, "correlation", cr_fit_correlation);
}

void fit_json(struct fitting *t) {
    fputs("{\"parameters\": {", stdout);
    json_parameters(t);
    member("}, ", "loss", cr_fit_loss(t->f));
    member(", ", "gradient_norm", cr_fit_gradient_norm(t->f));
    printf(", \"method\": \"%s\", \"iterations\": %lld, \"evaluations\": %lld, \"converged\": %s, "
           "\"reason\": \"%s\"",
           cr_fit_method(t->f), (long long)cr_fit_iterations(t->f), (long long)cr_fit_evaluations(t->f),
           t->status ? "false" : "true", cr_fit_reason(t->f));
    if (cr_fit_warning(t->f)) printf(", \"warning\": \"%s\"", cr_fit_warning(t->f));
    else fputs(", \"warning\": null", stdout);
    if (!isnan(statistic(t, "rss"))) json_statistics(t);
    puts("}");
}

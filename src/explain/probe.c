/* Derivatives by differences: central, extrapolated by Ridders (Adv. Eng. Software 4, 1982; Numerical Recipes 5.7). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "explain/twin.h"

enum { columns = 8 };

static const double shrink = 1.6; /* of the step, from column to column */
enum { first_steps = sizeof((struct precision *)0)->first_step / sizeof(double) };

/* f32 has u = 6e-8: at h = 0.1 a difference is good to 1e-6 of the value, at 0.004, the last of eight columns, to 2e-5. */
static const struct precision wide = {{2e-2, 1e-3, 5e-5, 2e-6}, 1e-6, 1e-4, 0, 0},
                              narrow = {{3e-1, 1e-1, 2e-2}, 1e-2, 5e-2, 1e-3, 1e-4};

const struct precision *twin_precision(const struct twin *t) {
    return t->narrowest == CR_F64 ? &wide : &narrow;
}

struct slope {
    double value, error;
};

/* ---- Running ---- */

static void name_of(char name[24], size_t leaf) { snprintf(name, 24, "v%zu", leaf); }

static cr_status bind_result(struct probe *p) { return cr_bind(p->run, "y", CR_F64, p->y, p->y_bytes); }

/* A leaf that the node does not need is no name of the program; a good bind takes back that one had failed. */
static cr_status bind_leaf(struct probe *p, size_t i, void *data) {
    char name[24];
    cr_array *v = p->t->leaf[i].value;
    name_of(name, i);
    cr_status status =
        cr_bind(p->run, name, cr_array_dtype(v), data ? data : cr_array_data(v), cr_array_bytes(v));
    return status == CR_ENAME ? bind_result(p) : status;
}

cr_status probe_open(struct probe *p, struct twin *t, cr_node y) {
    *p = (struct probe){.t = t, .precision = twin_precision(t)};
    cr_target *target = cr_target_new(t->g);
    cr_status status = target ? cr_target_output(target, "y", y) : CR_ENOMEM;
    if (!status) status = cr_compile(&p->program, target, NULL);
    cr_target_free(target);
    if (!status) status = cr_run_new(&p->run, p->program, NULL, NULL, 0);
    p->y_bytes = (size_t)cr_count(y) * sizeof *p->y;
    if (!status) p->y = mem_alloc(&t->mem, mem_add(p->y_bytes, sizeof *p->y));
    if (!status && !p->y) status = CR_ENOMEM;
    if (!status) status = bind_result(p);
    for (size_t i = 0; i < t->leaves && !status; i++) status = bind_leaf(p, i, NULL);
    return status;
}

void probe_close(struct probe *p) {
    cr_run_free(p->run);
    cr_program_free(p->program);
    if (p->y) mem_free(&p->t->mem, p->y, p->y_bytes + sizeof *p->y);
}

/* A line through the value of a leaf. */
struct line {
    struct probe *p;
    const double *at, *direction;
    double *x;
    int64_t count;
    int n;
    const int64_t *pick;
    cr_status status;
};

static void values_at(struct line *l, double h, double y[]) {
    for (int64_t i = 0; i < l->count && !l->status; i++) l->x[i] = l->at[i] + h * l->direction[i];
    if (!l->status) l->status = cr_step(l->p->run);
    for (int i = 0; i < l->n; i++) y[i] = l->status ? NAN : l->p->y[l->pick[i]];
}

/* ---- Slopes ---- */

/* The next column of the table of each element: its first row is a plain central difference. */
static void extrapolate(double before[columns], double now[columns], int k, struct slope *best) {
    double factor = shrink * shrink;
    for (int j = 1; j <= k; j++, factor *= shrink * shrink) {
        now[j] = (now[j - 1] * factor - before[j - 1]) / (factor - 1);
        double error = fmax(fabs(now[j] - now[j - 1]), fabs(now[j] - before[j - 1]));
        if (error <= best->error) *best = (struct slope){now[j], error};
    }
}

static void ridders(struct line *l, double h, struct slope best[]) {
    double table[2][most_picks][columns], high[most_picks], low[most_picks];
    for (int i = 0; i < l->n; i++) best[i] = (struct slope){NAN, INFINITY};
    bool sure = false;
    for (int k = 0; k < columns && !sure && !l->status; k++, h /= shrink) {
        values_at(l, h, high);
        values_at(l, -h, low);
        sure = k > 1;
        for (int i = 0; i < l->n; i++) {
            table[k % 2][i][0] = (high[i] - low[i]) / (2 * h);
            extrapolate(table[(k + 1) % 2][i], table[k % 2][i], k, &best[i]);
            sure = sure && best[i].error <= 1e-11 * fabs(best[i].value);
        }
    }
}

bool probe_agree(double a, double b, double rtol, double atol) {
    double size = fmax(fabs(a), fabs(b));
    return a == b || (size < INFINITY && fabs(a - b) <= atol + rtol * size);
}

/* Slopes to the right and left, and by how much they may differ where there is no kink. */
struct sides {
    double right, left, slack;
};

static struct sides sides_of(const struct precision *p, double right, double middle, double left,
                             double size) {
    return (struct sides){(right - middle) / p->tiny_step, (middle - left) / p->tiny_step,
                          p->kink * fmax(size, 1)};
}

static bool is_kink(struct sides s) { return fabs(s.right - s.left) > s.slack; }

/* Nothing that contradicts it: nan does not. */
static bool is_between(struct sides s, double d) {
    return !(d < fmin(s.right, s.left) - s.slack) && !(d > fmax(s.right, s.left) + s.slack);
}

/* Differences that disagree with what was found: is it the point? */
static void look_closer(struct line *l, const struct slope best[], struct finding f[]) {
    double middle[most_picks], right[most_picks], left[most_picks];
    values_at(l, 0, middle);
    const struct precision *p = l->p->precision;
    values_at(l, p->tiny_step, right);
    values_at(l, -p->tiny_step, left);
    for (int i = 0; i < l->n; i++) {
        if (f[i].verdict == RIGHT) continue;
        struct sides s = sides_of(p, right[i], middle[i], left[i], fabs(f[i].found));
        f[i].expected = best[i].value;
        double off = isnan(f[i].found) ? INFINITY : fabs(f[i].found - best[i].value);
        if (is_kink(s) && is_between(s, f[i].found)) f[i].verdict = AT_KINK;
        else if (!isfinite(middle[i]) || !(off > 3 * best[i].error)) f[i].verdict = UNSETTLED;
    }
}

static void compare(struct line *l, double rtol, double atol, struct finding f[]) {
    struct slope best[most_picks], now[most_picks];
    bool all = false;
    for (int i = 0; i < l->n; i++) best[i] = (struct slope){NAN, INFINITY};
    const double *step = l->p->precision->first_step;
    for (int s = 0; s < first_steps && step[s] > 0 && !all && !l->status; s++) {
        ridders(l, step[s], now);
        all = true;
        for (int i = 0; i < l->n; i++) {
            if (now[i].error < best[i].error) best[i] = now[i];
            if (probe_agree(f[i].found, now[i].value, rtol, atol))
                f[i].verdict = RIGHT, f[i].expected = now[i].value;
            all = all && f[i].verdict == RIGHT;
        }
    }
    if (!all) look_closer(l, best, f);
}

/* The line is l's; the room for its points is taken here. */
static cr_status open_line(struct line *l, struct probe *p, size_t leaf, const double direction[]) {
    cr_array *at = p->t->leaf[leaf].value;
    *l = (struct line){.p = p, .at = cr_array_data(at), .direction = direction, .count = cr_array_count(at)};
    l->x = mem_alloc(&p->t->mem, cr_array_bytes(at) + sizeof(double));
    l->status = l->x ? bind_leaf(p, leaf, l->x) : CR_ENOMEM;
    return l->status;
}

static cr_status close_line(struct line *l, size_t leaf) {
    if (!l->x) return CR_ENOMEM;
    cr_status restored = bind_leaf(l->p, leaf, NULL);
    mem_free(&l->p->t->mem, l->x, cr_array_bytes(l->p->t->leaf[leaf].value) + sizeof(double));
    return l->status ? l->status : restored;
}

cr_status probe_judge(struct probe *p, size_t leaf, const double direction[], int n, const int64_t pick[],
                      double rtol, double atol, struct finding f[]) {
    struct line l;
    for (int i = 0; i < n; i++) f[i].verdict = WRONG;
    cr_status status = open_line(&l, p, leaf, direction);
    l.n = n, l.pick = pick;
    if (!status) compare(&l, fmax(rtol, p->precision->rtol), fmax(atol, p->precision->atol), f);
    return close_line(&l, leaf);
}

cr_status probe_find_kink(struct probe *p, size_t leaf, const double direction[], bool *kink) {
    struct line l;
    size_t n = p->y_bytes / sizeof *p->y;
    double *middle = mem_alloc(&p->t->mem, 2 * p->y_bytes + 1), *right = middle ? middle + n : NULL;
    if (!middle) return CR_ENOMEM;
    cr_status status = open_line(&l, p, leaf, direction);
    values_at(&l, 0, NULL), memcpy(middle, p->y, p->y_bytes);
    values_at(&l, p->precision->tiny_step, NULL), memcpy(right, p->y, p->y_bytes);
    values_at(&l, -p->precision->tiny_step, NULL);
    for (size_t i = 0; i < n && !status; i++) {
        struct sides s = sides_of(p->precision, right[i], middle[i], p->y[i], 0);
        s.slack = p->precision->kink * fmax(1, fmax(fabs(s.right), fabs(s.left)));
        *kink = *kink || is_kink(s);
    }
    mem_free(&p->t->mem, middle, 2 * p->y_bytes + 1);
    return close_line(&l, leaf);
}

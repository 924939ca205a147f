/* ba: bundle adjustment. Each observation is of one point by one camera; its reprojection error depends on their 14 parameters and on its
 * own weight, and so the Jacobian has 15 entries in a row. All observations are done at once: the parameters that each one
 * needs are gathered, and the gradients of the two errors by what was gathered are the rows, each entry a vector over observations.
 * Their places are known before. */
#include "adapter.h"

#include <stdio.h>

/* Written out by coordinates, each a vector over observations: what one observation needs is 15 numbers of its own. Rotations are written
 * with cos(a), sin(a)/a and (1 - cos(a))/a^2 as functions of a^2: smooth at 0, where no branch is needed. */
static const char model[] =
    "input cams: f64[n, 11]\n"
    "input points: f64[m, 3]\n"
    "input weights: f64[p]\n"
    "input feats: f64[p, 2]\n"
    "input camera: i64[p]\n"
    "input point: i64[p]\n"
    "cam = t(cams)\n"
    "x = t(points)\n"
    "r0 = variable(cam[0][camera]); r1 = variable(cam[1][camera]); r2 = variable(cam[2][camera])\n"
    "c0 = variable(cam[3][camera]); c1 = variable(cam[4][camera]); c2 = variable(cam[5][camera])\n"
    "focus = variable(cam[6][camera]); u0 = variable(cam[7][camera]); v0 = variable(cam[8][camera])\n"
    "k1 = variable(cam[9][camera]); k2 = variable(cam[10][camera])\n"
    "x0 = variable(x[0][point]); x1 = variable(x[1][point]); x2 = variable(x[2][point])\n"
    "w = variable(weights)\n"
    "d0 = x0 - c0; d1 = x1 - c1; d2 = x2 - c2\n"
    "angle2 = r0^2 + r1^2 + r2^2\n"
    "cosine = stumpff(angle2, n=0)\n"
    "sine = stumpff(angle2, n=1)\n"
    "along = stumpff(angle2, n=2)*(r0*d0 + r1*d1 + r2*d2)\n"
    "s0 = cosine*d0 + sine*(r1*d2 - r2*d1) + along*r0\n"
    "s1 = cosine*d1 + sine*(r2*d0 - r0*d2) + along*r1\n"
    "s2 = cosine*d2 + sine*(r0*d1 - r1*d0) + along*r2\n"
    "u = s0/s2; v = s1/s2\n"
    "q = u^2 + v^2\n"
    "scale = focus*(1 + k1*q + k2*q^2)\n"
    "error0 = w*(u*scale + u0 - feats[:, 0])\n"
    "error1 = w*(v*scale + v0 - feats[:, 1])\n"
    "w_err = 1 - w^2\n";

enum { WIDTH = 15 }; /* of a row */
static const char *const wrt[WIDTH] = {"r0", "r1", "r2", "c0", "c1", "c2", "focus", "u0",
                                       "v0", "k1", "k2", "x0", "x1", "x2", "w"};

/* GradBench's inputs have one camera, point, weight and feature, to be repeated; lists of all of them serve too. */
static bool repeat(struct problem *p, const char *name, const json_t *numbers, int64_t n, int64_t width) {
    int rank = width ? 2 : 1;
    double *at = problem_give(p, name, CR_F64, rank, (int64_t[]){n, width});
    if (width && json_array_size(numbers) != (size_t)width)
        return problem_fail(p, "a camera, point or feature is too short");
    for (int64_t i = 0; at && i < n; i++)
        for (int64_t k = 0; k < (width ? width : 1); k++)
            *at++ = json_number_value(width ? json_array_get(numbers, (size_t)k) : numbers);
    return true;
}

static void give_indices(struct problem *p, const char *name, int64_t count, int64_t of) {
    int64_t *at = problem_give(p, name, CR_I64, 1, &count);
    for (int64_t i = 0; at && i < count; i++) at[i] = i % of;
}

static bool is_whole(const json_t *input) { return json_object_get(input, "cams") != NULL; }

static int64_t size(const json_t *input, const char *name) {
    return json_integer_value(json_object_get(input, name));
}

static bool give(struct problem *p, const json_t *input) {
    int64_t n = size(input, "n"), m = size(input, "m"), count = size(input, "p");
    if (n < 1 || m < 1 || count < 1) return problem_fail(p, "expected cameras, points and observations");
    give_indices(p, "camera", count, n);
    give_indices(p, "point", count, m);
    return is_whole(input) || (repeat(p, "cams", json_object_get(input, "cam"), n, 11) &&
                               repeat(p, "points", json_object_get(input, "x"), m, 3) &&
                               repeat(p, "weights", json_object_get(input, "w"), count, 0) &&
                               repeat(p, "feats", json_object_get(input, "feat"), count, 2));
}

/* The entries of row k of each observation, as outputs of their own. */
static bool give_row(struct problem *p, int k, const cr_node row[WIDTH]) {
    char name[24];
    for (int i = 0; i < WIDTH; i++) {
        snprintf(name, sizeof name, "d%d_%s", k, wrt[i]);
        if (!problem_output(p, name, row[i])) return false;
    }
    return true;
}

static bool build(struct problem *p, const json_t *input, int function) {
    if (!give(p, input)) return false;
    problem_model(p, model, input);
    cr_node err[] = {problem_node(p, "error0"), problem_node(p, "error1")}, w_err = problem_node(p, "w_err");
    if (function == 0)
        return problem_output(p, "reproj_err", cr_stack(2, err, 1)) && problem_output(p, "w_err", w_err);
    cr_node by[WIDTH], row[WIDTH];
    for (int i = 0; i < WIDTH; i++) by[i] = problem_node(p, wrt[i]);
    for (int k = 0; k < 2; k++) {
        cr_grad(row, cr_sum(err[k], 0, NULL, false), WIDTH, by);
        if (!give_row(p, k, row)) return false;
    }
    return problem_gradient(p, "w_rows", cr_sum(w_err, 0, NULL, false), by[WIDTH - 1]);
}

/* ---- Answers: of repeated inputs the first observation's and the last weight's, as GradBench wants ---- */

static json_t *objective(const struct problem *p, bool whole, int64_t count) {
    const double *err = cr_array_data(p->out[0].data), *w_err = cr_array_data(p->out[1].data);
    if (whole)
        return json_pack("{s:o, s:o}", "reproj_err", problem_list(p->out[0].data), "w_err",
                         problem_list(p->out[1].data));
    return json_pack("{s:{s:[f,f], s:I}, s:{s:f, s:I}}", "reproj_error", "elements", err[0], err[1],
                     "repeated", (json_int_t)count, "w_err", "element", w_err[0], "repeated",
                     (json_int_t)count);
}

static void column(json_t *columns, int64_t c) {
    json_array_append_new(columns, json_integer((json_int_t)c));
}

/* Row by row: two of 15 entries for each observation, then one for each weight. */
static void pattern(json_t *starts, json_t *columns, const json_t *input) {
    int64_t n = size(input, "n"), m = size(input, "m"), count = size(input, "p"),
            shown = is_whole(input) ? count : 1;
    for (int64_t i = 0; i < shown; i++)
        for (int r = 0; r < 2; r++) {
            for (int64_t k = 0; k < 11; k++) column(columns, 11 * (i % n) + k);
            for (int64_t k = 0; k < 3; k++) column(columns, 11 * n + 3 * (i % m) + k);
            column(columns, 11 * n + 3 * m + i);
        }
    for (int64_t i = is_whole(input) ? 0 : count - 1; i < count; i++) column(columns, 11 * n + 3 * m + i);
    for (int64_t i = 0; i < (is_whole(input) ? 3 * count + 1 : 30); i++)
        column(starts, i <= 2 * count ? 15 * i : 30 * count + i - 2 * count);
    if (!is_whole(input)) column(starts, 31 * count);
}

static json_t *answer(const struct problem *p, const json_t *input) {
    int64_t count = size(input, "p"), shown = is_whole(input) ? count : 1;
    if (p->n_out == 2) return objective(p, is_whole(input), count);
    json_t *starts = json_array(), *columns = json_array(), *values = json_array();
    const double *w_rows = cr_array_data(p->out[2 * WIDTH].data);
    pattern(starts, columns, input);
    for (int64_t i = 0; i < shown; i++)
        for (int k = 0; k < 2 * WIDTH; k++) {
            const double *entry = cr_array_data(p->out[k].data);
            json_array_append_new(values, json_real(entry[i]));
        }
    for (int64_t i = count - shown; i < count; i++) json_array_append_new(values, json_real(w_rows[i]));
    return json_pack("{s:o, s:o, s:o}", "rows", starts, "cols", columns, "vals", values);
}

const struct eval eval_ba = {"ba", {"objective", "jacobian"}, build, answer};

/* ba: bundle adjustment. Each observation is of one point by one camera; its reprojection error depends on their 14 parameters and on its
 * own weight, and so the Jacobian has 15 entries in a row. All observations are done at once: the parameters that each one
 * needs are gathered, and the gradients of the two errors by what was gathered are the rows. Their places are known before. */
#include "adapter.h"

/* Rotations are written with cos(a), sin(a)/a and (1 - cos(a))/a^2 as functions of a^2: smooth at 0, where no branch is needed. */
static const char model[] =
    "input cams: f64[n, 11]\n"
    "input points: f64[m, 3]\n"
    "input weights: f64[p]\n"
    "input feats: f64[p, 2]\n"
    "input camera: i64[p]\n"
    "input point: i64[p]\n"
    "cam = variable(t(cams)[:, camera])\n"
    "x = variable(t(points)[:, point])\n"
    "w = variable(weights)\n"
    "turn = cam[:3]\n"
    "from = x - cam[3:6]\n"
    "angle2 = sum(turn^2, axis=0)\n"
    "along = stumpff(angle2, n=2)*sum(turn*from, axis=0)*turn\n"
    "seen = stumpff(angle2, n=0)*from + stumpff(angle2, n=1)*cross(turn, from, axis=0) + along\n"
    "flat = seen[:2]/seen[2]\n"
    "r2 = sum(flat^2, axis=0)\n"
    "image = flat*(1 + cam[9]*r2 + cam[10]*r2^2)*cam[6] + cam[7:9]\n"
    "reproj_err = w*(image - t(feats))\n"
    "w_err = 1 - w^2\n";

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

static cr_node row(cr_node err, int64_t i, int n, const cr_node by[]) {
    int64_t count = cr_dims(err)[1];
    cr_node e = cr_slice(err, 2, (int64_t[]){i, 0}, (int64_t[]){1, 1}, (int64_t[]){1, count}), d[3];
    cr_grad(d, cr_sum(e, 0, NULL, false), n, by);
    d[2] = cr_reshape(d[2], 2, (int64_t[]){1, count});
    return cr_concat(3, d, 0);
}

static bool build(struct problem *p, const json_t *input, int function) {
    if (!give(p, input)) return false;
    problem_model(p, model, input);
    cr_node err = problem_node(p, "reproj_err"), w_err = problem_node(p, "w_err");
    if (function == 0) return problem_output(p, "reproj_err", cr_t(err)) && problem_output(p, "w_err", w_err);
    cr_node by[] = {problem_node(p, "cam"), problem_node(p, "x"), problem_node(p, "w")};
    cr_node rows[] = {row(err, 0, 3, by), row(err, 1, 3, by)};
    if (!problem_output(p, "rows", cr_permute(cr_stack(2, rows, 0), 3, (int[]){2, 0, 1}))) return false;
    return problem_gradient(p, "w_rows", cr_sum(w_err, 0, NULL, false), by[2]);
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
    if (p->out[0].name[1] == 'e') return objective(p, is_whole(input), count);
    json_t *starts = json_array(), *columns = json_array(), *values = json_array();
    const double *rows = cr_array_data(p->out[0].data), *w_rows = cr_array_data(p->out[1].data);
    pattern(starts, columns, input);
    for (int64_t i = 0; i < 30 * shown; i++) json_array_append_new(values, json_real(rows[i]));
    for (int64_t i = count - shown; i < count; i++) json_array_append_new(values, json_real(w_rows[i]));
    return json_pack("{s:o, s:o, s:o}", "rows", starts, "cols", columns, "vals", values);
}

const struct eval eval_ba = {"ba", {"objective", "jacobian"}, build, answer};

/* det: the determinant by expansion by minors, and its gradient. Level m has the minors of the last m rows with every choice of m columns,
 * each once, as one vector; a minor is the sum over its first row of entry times minor of the level below, with alternating signs.
 * (Written as a recursion these minors would be the same nodes: equal nodes are one.) */
#include "adapter.h"

#include <stdlib.h>

/* Choices of m of l columns are sets of bits, and numbered by their size in ascending order. */
static int64_t choose(int64_t l, int64_t m) {
    int64_t c = 1;
    for (int64_t i = 1; i <= m; i++) c = c * (l - m + i) / i;
    return c;
}

static int size_of(int64_t set) {
    int n = 0;
    for (; set; set &= set - 1) n++;
    return n;
}

struct level {
    int64_t *column,
        *below;   /* [choices, m]: the j-th column of a choice, and the number of the choice without it */
    double *sign; /* [m] */
};

static void fill(struct level v, int64_t l, int m, int64_t number[]) {
    int64_t k = 0;
    for (int j = 0; j < m; j++) v.sign[j] = j % 2 ? -1 : 1;
    for (int64_t set = 0; set < (int64_t)1 << l; set++) {
        if (size_of(set) != m) continue;
        for (int64_t c = 0, j = k * m; c < l; c++) {
            if (!(set >> c & 1)) continue;
            v.column[j] = c;
            v.below[j++] = number[set & ~((int64_t)1 << c)];
        }
        number[set] = k++;
    }
}

static cr_node next_level(cr_node row, cr_node minors, int64_t l, int m, int64_t number[]) {
    int64_t dims[] = {choose(l, m), m}, size = dims[0] * m;
    struct level v = {malloc((size_t)size * 8), malloc((size_t)size * 8), malloc((size_t)m * 8)};
    cr_node y = minors;
    if (v.column && v.below && v.sign) {
        fill(v, l, m, number);
        cr_node column = cr_const(row.graph, CR_I64, 2, dims, v.column);
        cr_node below = cr_const(row.graph, CR_I64, 2, dims, v.below);
        cr_node sign = cr_const(row.graph, CR_F64, 1, &dims[1], v.sign);
        y = cr_sum(cr_mul(cr_mul(cr_gather(row, column, 0), sign), cr_gather(minors, below, 0)), 1,
                   (int[]){1}, false);
    }
    free(v.column);
    free(v.below);
    free(v.sign);
    return y;
}

static cr_node determinant(cr_node a, int64_t l) {
    int64_t *number = calloc((size_t)1 << l, sizeof *number);
    cr_node minors = cr_slice(a, 2, (int64_t[]){l - 1, 0}, (int64_t[]){1, 1}, (int64_t[]){1, l});
    minors = cr_reshape(minors, 1, &l);
    for (int64_t c = 0; number && c < l; c++) number[(int64_t)1 << c] = c;
    for (int m = 2; number && m <= l; m++) {
        cr_node row = cr_slice(a, 2, (int64_t[]){l - m, 0}, (int64_t[]){1, 1}, (int64_t[]){1, l});
        minors = next_level(cr_reshape(row, 1, &l), minors, l, m, number);
    }
    free(number);
    return cr_reshape(minors, 0, NULL);
}

static bool build(struct problem *p, const json_t *input, int function) {
    int64_t l = json_integer_value(json_object_get(input, "ell")), dims[] = {l, l};
    if (l < 1 || l > 24) return problem_fail(p, "expected a matrix of at most 24 rows");
    problem_take(p, "A", problem_numbers(p, json_object_get(input, "A"), CR_F64));
    cr_node a = problem_input(p, "A"), y = determinant(cr_reshape(a, 2, dims), l);
    if (function == 0) return problem_output(p, "output", y);
    return problem_gradient(p, "output", y, a);
}

const struct eval eval_det = {"det", {"primal", "gradient"}, build, NULL};

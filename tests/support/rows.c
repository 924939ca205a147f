#include "rows.h"

#include "ops/build.h"
#include "structural.h"

double row_spread(int i) { return fmod(0.5 + 0.6180339887498949 * i, 1); }

int row_arity(int op) {
    const char *arguments = ops_row(op)->arguments;
    return !strncmp(arguments, "condition", 9) ? 3 : !strncmp(arguments, "x, y", 4) ? 2 : 1;
}

bool row_has_n(int op) { return strstr(ops_row(op)->arguments, ", n") != NULL; }

double row_sample(int op, int k, int i) {
    const struct op_row *row = ops_row(op);
    double margin = 0.05, u = row_spread(i + 1) * 0.96 + 0.02;
    if (op == OP_fmod ||
        op == OP_mod) /* they jump where the quotient is whole: all are between 1.2 and 1.7 */
        return k ? 1 + 0.05 * row_spread(i) : 1.3 + 0.4 * row_spread(3 * i);
    if (row->class == CLASS_PIECEWISE && k) u = fmod(u + 0.31 * k, 0.96) + 0.02;
    double x = row->low + u * (row->high - row->low);
    return row->class == CLASS_PIECEWISE && fabs(x) < margin ? x + 2 * margin : x;
}

/* ---- Inputs ---- */

static void open_case(struct row_case *c) {
    *c = (struct row_case){.g = cr_graph_new(NULL)};
    assert_int_equal(cr_eval_new(&c->e, c->g, NULL), CR_OK);
}

void row_case_free(struct row_case *c) {
    cr_eval_free(c->e);
    cr_graph_free(c->g);
}

/* Fractions in the dtype asked for, integers and bools as they are. */
static void add_input(struct row_case *c, const char *name, cr_dtype dtype, int rank, const int64_t dims[],
                      const double data[]) {
    bool fraction = dtype == CR_F64 || dtype == CR_F32;
    cr_array *wide = NULL, *array = NULL;
    cr_node x = c->x[c->n++] = cr_input(c->g, name, dtype, rank, dims);
    if (fraction) c->wrt[c->n_wrt++] = x;
    assert_int_equal(cr_array_new(&wide, NULL, CR_F64, rank, dims), CR_OK);
    memcpy(cr_array_data(wide), data, cr_array_bytes(wide));
    assert_int_equal(cr_array_cast(&array, wide, dtype), CR_OK);
    if (cr_eval_set(c->e, x, dtype, cr_array_data(array), cr_array_bytes(array)))
        fail_msg("%s: %s", c->label, cr_eval_error(c->e));
    cr_array_free(wide);
    cr_array_free(array);
}

/* ---- Elementwise rows ---- */

enum { elements = 3 };

/* Which attribute n, and whether all operands are equal, as where a kink shares. */
static const struct {
    int n;
    bool tie;
} variants[] = {{3, false}, {0, true}, {0, false}, {1, false}, {2, false}, {5, false}};

static bool element_case(struct row_case *c, int op, int i, cr_dtype fractions) {
    static const char *const names[] = {"x", "y", "z"};
    const struct op_row *row = ops_row(op);
    int count = row_has_n(op)                   ? (int)(sizeof variants / sizeof *variants)
                : row->class == CLASS_PIECEWISE ? 2
                                                : 1;
    if (i >= count) return false;
    bool tie = variants[i].tie && row->class == CLASS_PIECEWISE && op != OP_fmod && op != OP_mod;
    open_case(c);
    snprintf(c->label, sizeof c->label, "%s, n = %d%s", row->name, variants[i].n, tie ? ", a tie" : "");
    for (int k = 0; k < row_arity(op); k++) {
        double data[elements];
        bool truth = row->dtype == DTYPE_LOGIC || (row->dtype == DTYPE_SELECT && k == 0);
        for (int j = 0; j < elements; j++) data[j] = truth ? j % 2 : row_sample(op, tie && k == 1 ? 0 : k, j);
        add_input(c, names[k],
                  truth                         ? CR_BOOL
                  : row->dtype == DTYPE_INTEGER ? CR_I64
                                                : fractions,
                  1, (int64_t[]){elements}, data);
    }
    double number = variants[i].n;
    cr_attr attr = {"n", 1, &number, NULL};
    c->y =
        op == OP_variable ? cr_variable(c->x[0]) : cr_op(c->g, row->name, c->n, c->x, row_has_n(op), &attr);
    if (!cr_ok(c->y)) fail_msg("%s: %s", c->label, cr_graph_error(c->g));
    return true;
}

/* ---- Structural rows ---- */

static bool structural_case(struct row_case *c, int op, int i, cr_dtype fractions) {
    int at = 0;
    for (; at < structural_count; at++)
        if (structurals[at].op == op && i-- == 0) break;
    if (at == structural_count) return false;
    const struct structural *s = &structurals[at];
    struct structural_inputs in;
    structural_inputs(&in, s);
    open_case(c);
    snprintf(c->label, sizeof c->label, "%s", s->formula);
    for (int k = 0; k < in.n; k++)
        add_input(c, in.name[k], in.in[k].dtype == CR_F64 ? fractions : in.in[k].dtype, in.in[k].rank,
                  in.in[k].dims, in.data[k]);
    c->y = cr_formula(c->g, s->formula);
    if (!cr_ok(c->y)) fail_msg("%s: %s", c->label, cr_graph_error(c->g));
    return true;
}

bool row_case_make(struct row_case *c, int op, int i, cr_dtype fractions) {
    enum op_kind kind = op_kind(op);
    bool element = kind == KIND_ELEM || op == OP_variable || op == OP_stop_gradient;
    return element ? element_case(c, op, i, fractions) : structural_case(c, op, i, fractions);
}

/* The formula of a node, as the formula language has it. */
#include "formula/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formula/walk.h"
#include "graph/function.h"
#include "ops/call.h"
#include "tensor/dtype.h"

enum { list_limit = 64 }; /* numbers of a constant that are written out */

/* ---- Constants ---- */

/* A list of whole numbers is i64, unless one of them is written as a fraction. */
static bool needs_point(const cr_graph *g, const struct node *n) {
    int64_t count = graph_elements(g, n);
    for (int64_t i = 0; i < count; i++) {
        double v = dtype_get((cr_dtype)n->dtype, graph_attr(g, n), i);
        if (v != floor(v) || isinf(v) || fabs(v) >= 1e15) return false;
    }
    return n->dtype != CR_I64 && n->dtype != CR_BOOL;
}

/* To be shown, and not to be read again. */
static bool is_shown(const struct walk *w) { return w->labels && !w->exact; }

/* "[[1, 2], [3, 4]]". Where it is shown, a long one is cut. */
static void write_list(struct walk *w, const struct node *n) {
    struct cr_text *out = w->out;
    const cr_graph *g = w->g;
    struct shape s = graph_shape(g, n);
    int64_t count = graph_elements(g, n), shown = count < list_limit || !is_shown(w) ? count : list_limit;
    for (int64_t i = 0; i < shown; i++) {
        int64_t inner = 1;
        int opened = 0, k = s.rank;
        while (k > 0 && i % (inner * s.dim[k - 1]) == 0) inner *= s.dim[--k], opened++;
        if (i) text_str(out, ", ");
        while (opened--) text_char(out, '[');
        walk_number(out, (cr_dtype)n->dtype, graph_attr(g, n), i);
        if (i == 0 && needs_point(g, n)) text_str(out, ".0");
        for (inner = 1, k = s.rank; k > 0 && (i + 1) % (inner * s.dim[k - 1]) == 0; inner *= s.dim[--k])
            text_char(out, ']');
    }
    if (shown < count) text_str(out, ", ...");
    if (count == 0) text_str(out, "[]");
}

static void write_const(struct walk *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    if (graph_rank(w->g, n)) write_list(w, n);
    else walk_number(w->out, (cr_dtype)n->dtype, graph_attr(w->g, n), 0);
}

/* Would a reader give the bare digits this dtype? Lists of integers are i64 wherever they stand. */
static bool plain(const cr_graph *g, const struct node *n, enum setting setting) {
    bool list = graph_rank(g, n) > 0;
    if (n->weak || n->dtype == CR_BOOL || (list && n->dtype == CR_I64)) return true;
    if (setting == SETTING_TYPED) return !list || dtype_is_float((cr_dtype)n->dtype);
    return setting == SETTING_DEFAULT && (cr_dtype)n->dtype == g->default_float;
}

static void put_const(struct walk *w, uint32_t id, enum level least, enum setting setting) {
    const struct node *n = graph_at(w->g, id);
    double v;
    bool cast = !is_shown(w) && !plain(w->g, n, setting);
    bool minus = !cast && walk_scalar(w->g, id, &v) && signbit(v) && !isnan(v) && least > LEVEL_MINUS;
    if (cast) walk_text(w, "cast(");
    if (minus) walk_text(w, "(");
    walk_tail(w, id);
    if (minus) walk_text(w, ")");
    if (cast) walk_text(w, ", "), walk_text(w, cr_dtype_name((cr_dtype)n->dtype)), walk_text(w, ")");
}

/* ---- Operators ---- */

static void put_infix(struct walk *w, const struct infix *f, const uint32_t x[], enum setting setting,
                      enum level least) {
    if (f->own < least) walk_text(w, "(");
    walk_operand(w, x[0], f->left, setting);
    walk_text(w, f->text);
    walk_operand(w, x[1], f->right, setting);
    if (f->own < least) walk_text(w, ")");
}

static void put_prefix(struct walk *w, const char *text, enum level own, enum level inner, uint32_t x,
                       enum level least) {
    if (own < least) walk_text(w, "(");
    walk_text(w, text);
    walk_operand(w, x, inner, SETTING_TYPED);
    if (own < least) walk_text(w, ")");
}

/* x^2, x^n, x[1:3]: the operand, then the tail. */
static void put_suffix(struct walk *w, uint32_t id, uint32_t x, enum level own, enum level least) {
    if (own < least) walk_text(w, "(");
    walk_operand(w, x, LEVEL_ATOM, walk_alone(w));
    walk_tail(w, id);
    if (own < least) walk_text(w, ")");
}

/* ---- Calls ---- */

static void put_call(struct walk *w, const char *name, uint32_t id, int n, const uint32_t x[],
                     enum setting setting) {
    walk_text(w, name);
    walk_text(w, "(");
    for (int i = 0; i < n; i++) {
        if (i) walk_text(w, ", ");
        walk_operand(w, x[i], LEVEL_ANY, setting);
    }
    if (id) walk_tail(w, id);
    walk_text(w, ")");
}

static uint32_t first(const cr_graph *g, const struct node *n) { return graph_args(g, n)[0]; }

static void put_part(struct walk *w, uint32_t id, const struct node *n) {
    const struct node *of = graph_at(w->g, first(w->g, n));
    bool control = op_kind(of->op) == KIND_CONTROL; /* then of all operands, and which result */
    const char *name = control ? control_name(w->g, of) : ops_part_name(of->op, (int)graph_attr(w->g, n)[0]);
    put_call(w, name, first(w->g, n), control ? (int)of->n : 1, graph_args(w->g, of), walk_alone(w));
    walk_tail(w, id);
}

static bool all_steps_one(const cr_graph *g, const struct node *n) {
    for (size_t i = 1; i < graph_attr_count(g, n); i += 2)
        if (graph_attr(g, n)[i] != 1) return false;
    return true;
}

static const char *call_name(const cr_graph *g, const struct node *n) {
    if (walk_transpose(g, n)) return "t";
    if (n->op == OP_unslice && all_steps_one(g, n)) return "pad";
    return control_name(g, n);
}

/* Numbers alone, which a reader would make one number of where an operator stands between them. */
static bool all_numbers(const struct walk *w, const struct node *n, const uint32_t x[]) {
    double v;
    if (!w->exact) return false;
    for (uint32_t i = 0; i < n->n; i++)
        if (!walk_scalar(w->g, x[i], &v) || graph_at(w->g, x[i])->dtype == CR_BOOL) return false;
    return true;
}

/* x^2 is read as a square. */
static bool is_call(const struct walk *w, const struct node *n) {
    return all_numbers(w, n, graph_args(w->g, n)) ||
           (w->exact && n->op == OP_powi && graph_attr(w->g, n)[0] == 2);
}

/* pow with a whole literal is not x^2, which is powi. */
static bool is_infix(const struct walk *w, const struct node *n, const uint32_t x[]) {
    double v;
    if (n->op == OP_pow && walk_scalar(w->g, x[1], &v) && v == floor(v) && fabs(v) < 0x1p31) return false;
    return op_kind(n->op) != KIND_ELEM || walk_infix(n->op)->own <= LEVEL_COMPARE || !all_numbers(w, n, x);
}

/* Ops that no one writes by name. */
static bool put_plainly(struct walk *w, const struct node *n, uint32_t x, enum level least) {
    bool root = n->op == OP_rsqrt;
    if (!is_shown(w) || (n->op != OP_recip && !root)) return false;
    if (LEVEL_PRODUCT < least) walk_text(w, "(");
    walk_text(w, root ? "1/sqrt(" : "1/");
    walk_operand(w, x, root ? LEVEL_ANY : LEVEL_MINUS, SETTING_TYPED);
    if (root) walk_text(w, ")");
    if (LEVEL_PRODUCT < least) walk_text(w, ")");
    return true;
}

/* Operators before or behind one operand. False: n is none. */
static bool put_unary(struct walk *w, uint32_t id, const struct node *n, uint32_t x, enum level least) {
    bool power = n->op == OP_square || n->op == OP_powi;
    if (op_kind(n->op) != KIND_ELEM || n->n != 1 || is_call(w, n)) return false;
    if (n->op == OP_neg) put_prefix(w, "-", LEVEL_MINUS, LEVEL_POWER, x, least);
    else if (n->op == OP_not) put_prefix(w, "not ", LEVEL_NOT, LEVEL_NOT, x, least);
    else if (power) put_suffix(w, id, x, LEVEL_POWER, least);
    else return put_plainly(w, n, x, least);
    return true;
}

static bool put_view(struct walk *w, uint32_t id, const struct node *n, uint32_t x, enum level least) {
    uint32_t product[2];
    if (walk_matmul(w, n, product)) put_infix(w, walk_infix(OP_matmul), product, walk_alone(w), least);
    else if (n->op == OP_slice) put_suffix(w, id, x, LEVEL_ATOM, least);
    else if (walk_indexed(w, n)) put_suffix(w, id, first(w->g, graph_at(w->g, x)), LEVEL_ATOM, least);
    else if (n->op == OP_part) put_part(w, id, n);
    else if (walk_kept(w, n)) {
        const struct node *sum = graph_at(w->g, x);
        struct operands o = walk_operands(w, sum);
        put_call(w, op_name(sum->op), id, 1, o.id, o.setting);
    } else return false;
    return true;
}

static void put_node(struct walk *w, uint32_t id, enum level least, enum setting setting) {
    const struct node *n = graph_at(w->g, id);
    struct operands o = walk_operands(w, n);
    const struct infix *f = walk_infix(n->op);
    if (n->op == OP_const) put_const(w, id, least, setting);
    else if (f && is_infix(w, n, o.id)) put_infix(w, f, o.id, o.setting, least);
    else if (!put_unary(w, id, n, o.id[0], least) && !put_view(w, id, n, o.id[0], least))
        put_call(w, call_name(w->g, n), id, (int)n->n, n->n <= 3 ? o.id : graph_args(w->g, n), o.setting);
}

/* ---- Attributes, as the row's arguments name them ---- */

static void write_integer(struct walk *w, const char *name, int64_t value) {
    text_add(w->out, ", %s=%lld", name, (long long)value);
}

static void write_sizes(struct walk *w, const char *name, int rank, const int64_t sizes[]) {
    text_add(w->out, ", %s=", name);
    text_dims(w->out, rank, sizes);
}

static void write_axes(struct walk *w, const struct node *n) {
    int count = (int)graph_attr_count(w->g, n);
    const int64_t *axes = graph_attr(w->g, n);
    if (count == graph_rank(w->g, graph_at(w->g, first(w->g, n)))) return; /* all: the default */
    if (count == 1) write_integer(w, "axis", axes[0]);
    else write_sizes(w, "axis", count, axes);
}

static void write_axis(struct walk *w, int64_t axis, int64_t by_default) {
    if (axis != by_default) write_integer(w, "axis", axis);
}

/* start, step and size, first axis first. */
static void write_unslice(struct walk *w, const struct node *n) {
    int64_t a[3][CR_MAX_RANK];
    bool pad = all_steps_one(w->g, n);
    struct shape s = graph_shape(w->g, n), x = graph_shape(w->g, graph_at(w->g, first(w->g, n)));
    for (int i = 0; i < s.rank; i++) {
        a[0][i] = graph_attr(w->g, n)[2 * (s.rank - 1 - i)];
        a[1][i] = graph_attr(w->g, n)[2 * (s.rank - 1 - i) + 1];
        a[2][i] = pad ? s.dim[i] - a[0][i] - x.dim[i] : s.dim[i];
    }
    write_sizes(w, pad ? "before" : "start", s.rank, a[0]);
    if (!pad) write_sizes(w, "step", s.rank, a[1]);
    write_sizes(w, pad ? "after" : "size", s.rank, a[2]);
}

/* Attributes count from the end, last axis first. */
static void write_permutation(struct walk *w, const struct node *n) {
    int64_t axes[CR_MAX_RANK];
    int rank = graph_rank(w->g, n);
    if (walk_transpose(w->g, n)) return;
    for (int i = 0; i < rank; i++) axes[i] = graph_attr(w->g, n)[rank - 1 - i] + rank;
    write_sizes(w, "axes", rank, axes);
}

static void write_index(struct walk *w, const struct node *n) {
    const struct node *index = graph_at(w->g, graph_args(w->g, n)[1]);
    int64_t batch = graph_rank(w->g, index) - graph_attr(w->g, n)[0];
    if (n->op == OP_scatter_add) write_integer(w, "size", graph_dims(w->g, n)[batch]);
    if (batch) write_integer(w, "batch", batch);
}

/* 2:5, ::-1, 1:, 3:4 of one axis. What is left out is the default. */
static void write_range(struct cr_text *out, int64_t start, int64_t step, int64_t count, int64_t size) {
    int64_t last = start + (count - 1) * step, stop = step > 0 ? last + 1 : last - 1;
    bool from_end = start == (step > 0 ? 0 : size - 1), to_end = last + step < 0 || last + step >= size;
    if (count == 0) {
        text_str(out, "0:0");
        return;
    }
    if (!from_end) text_add(out, "%lld", (long long)start);
    text_char(out, ':');
    if (!to_end) text_add(out, "%lld", (long long)stop);
    if (step != 1) text_add(out, ":%lld", (long long)step);
}

/* Which axes of a slice does the reshape n take away, all of size 1? False: it does something else. */
static bool dropped_axes(const struct walk *w, const struct node *n, bool dropped[]) {
    if (n->op != OP_reshape || !walk_plain(w, first(w->g, n), OP_slice)) return false;
    struct shape s = graph_shape(w->g, graph_at(w->g, first(w->g, n))), out = graph_shape(w->g, n);
    int k = 0;
    for (int i = 0; i < s.rank; i++) {
        bool kept = k < out.rank && out.dim[k] == s.dim[i];
        dropped[i] = !kept;
        if (!kept && s.dim[i] != 1) return false;
        k += kept;
    }
    return k == out.rank;
}

bool walk_indexed(const struct walk *w, const struct node *n) {
    bool dropped[CR_MAX_RANK];
    return dropped_axes(w, n, dropped);
}

/* n: the slice, or the reshape behind it that makes x[1] of x[1:2]. */
static void write_slice(struct walk *w, const struct node *n) {
    bool dropped[CR_MAX_RANK] = {false};
    if (dropped_axes(w, n, dropped)) n = graph_at(w->g, first(w->g, n));
    const struct node *x = graph_at(w->g, first(w->g, n));
    struct shape s = graph_shape(w->g, n), of = graph_shape(w->g, x);
    const int64_t *a = graph_attr(w->g, n);
    int used = s.rank; /* whole axes at the end go without saying */
    while (used > 1 && a[2 * (s.rank - used)] == 0 && a[2 * (s.rank - used) + 1] == 1 &&
           s.dim[used - 1] == of.dim[used - 1] && !dropped[used - 1])
        used--;
    text_char(w->out, '[');
    for (int i = 0; i < used; i++) {
        const int64_t *at = a + 2 * (s.rank - 1 - i);
        if (i) text_str(w->out, ", ");
        if (dropped[i]) text_add(w->out, "%lld", (long long)at[0]);
        else write_range(w->out, at[0], at[1], s.dim[i], of.dim[i]);
    }
    text_char(w->out, ']');
}

static void write_random(struct walk *w, const struct node *n) {
    write_sizes(w, "shape", graph_rank(w->g, n), graph_dims(w->g, n));
    if (n->dtype != CR_F64) text_add(w->out, ", dtype=%s", cr_dtype_name((cr_dtype)n->dtype));
}

static void write_kept(struct walk *w, const struct node *n) {
    write_axes(w, graph_at(w->g, first(w->g, n)));
    text_str(w->out, ", keep=true");
}

/* One attribute of `each` that a node keeps side by side: a number, or one for each axis, last axis first. */
static void write_attribute(struct walk *w, const char *argument, size_t length, const int64_t *a, int each,
                            int axes) {
    const char *fallback = argument[length] == '=' ? argument + length + 1 : "";
    char value[24];
    size_t n = (size_t)snprintf(value, sizeof value, "%lld", (long long)a[0]);
    bool flag = fallback[0] == 'f' || fallback[0] == 't';
    if (flag) n = (size_t)snprintf(value, sizeof value, "%s", a[0] ? "true" : "false");
    if (axes == 1 && strcspn(fallback, ",") == n && memcmp(fallback, value, n) == 0)
        return; /* goes without saying */
    text_str(w->out, ", ");
    text_bytes(w->out, argument, length);
    text_str(w->out, axes > 1 ? "=[" : "=");
    if (axes == 1) text_str(w->out, value);
    for (int i = axes; axes > 1 && i-- > 0;) text_add(w->out, i ? "%lld, " : "%lld]", (long long)a[i * each]);
}

/* Which result of a function: the first goes without saying. */
static void write_part(struct walk *w, const struct node *n) {
    long long k = (long long)graph_attr(w->g, n)[0];
    if (k && op_kind(graph_at(w->g, first(w->g, n))->op) == KIND_CONTROL) text_add(w->out, "[%lld]", k);
}

/* An op that keeps its attributes as it is called with them. */
static void write_as_called(struct walk *w, const struct node *n) {
    struct call_row row;
    int count = (int)graph_attr_count(w->g, n), each = 0;
    size_t length;
    if (!call_primitive(n->op, &row)) return;
    while (call_attribute(&row, each, &length)) each++;
    if (each == 0 || count == 0 || count % each) return;
    for (int i = 0; i < each; i++) {
        const char *argument = call_attribute(&row, i, &length);
        write_attribute(w, argument, length, graph_attr(w->g, n) + i, each, count / each);
    }
}

void walk_attributes(struct walk *w, uint32_t id) {
    const struct node *n = graph_at(w->g, id);
    const int64_t *a = graph_attr(w->g, n);
    switch (n->op) {
    case OP_const: write_const(w, id); return;
    case OP_square: text_str(w->out, is_call(w, n) ? "" : "^2"); return;
    case OP_powi: text_add(w->out, is_call(w, n) ? ", n=%lld" : "^%lld", (long long)a[0]); return;
    case OP_cast: text_add(w->out, ", %s", cr_dtype_name((cr_dtype)n->dtype)); return;
    case OP_iota: text_add(w->out, "n=%lld", (long long)graph_dims(w->g, n)[0]); return;
    case OP_reshape:
        if (walk_kept(w, n)) write_kept(w, n);
        else if (walk_indexed(w, n)) write_slice(w, n);
        else write_sizes(w, "shape", graph_rank(w->g, n), graph_dims(w->g, n));
        return;
    case OP_expand: write_sizes(w, "shape", graph_rank(w->g, n), graph_dims(w->g, n)); return;
    case OP_permute: write_permutation(w, n); return;
    case OP_slice: write_slice(w, n); return;
    case OP_unslice: write_unslice(w, n); return;
    case OP_part: write_part(w, n); return;
    case OP_concat: write_axis(w, a[0], -graph_rank(w->g, n)); return;
    case OP_gather:
    case OP_scatter_add: write_index(w, n); return;
    case OP_uniform: write_random(w, n); return;
    default:
        if (op_kind(n->op) == KIND_REDUCE) write_axes(w, n);
        else write_as_called(w, n);
    }
}

static void write_name(struct walk *w, const char *name) { text_str(w->out, name); }

static const struct walk_style text_style = {put_node, walk_attributes, write_name, write_name};

void print_formula(struct cr_text *out, cr_node x, const struct print_labels *labels, bool expand_root) {
    struct walk w = {.out = out, .g = x.graph, .labels = labels, .style = &text_style};
    walk_run(&w, x, expand_root);
}

void print_exact(struct cr_text *out, cr_node x, const struct print_labels *labels) {
    struct walk w = {.out = out, .g = x.graph, .labels = labels, .style = &text_style, .exact = true};
    walk_run(&w, x, true);
}

cr_status cr_print(cr_text *out, cr_node x) {
    if (!out) return CR_EINVAL;
    print_formula(out, x, NULL, true);
    return graph_get(x) ? text_status(out) : CR_EINVAL;
}

/* How many digits are right: the report. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "explain/digits.h"
#include "formula/print.h"
#include "grad/grad.h"
#include "graph/function.h"
#include "run/eval.h"
#include "tensor/dtype.h"

/* Of a number that rounding moves by the bound at most. */
static double digits_left(const struct rounding_of *r, double of) {
    if (!isfinite(r->value)) return 0;
    double d = r->bound == 0 ? of : -log10(r->bound / fabs(r->value));
    return d > 0 ? fmin(d, of) : 0; /* nan: none */
}

static double digits_in(cr_dtype dtype) {
    return dtype == CR_F32   ? 24 * log10(2)
           : dtype == CR_F64 ? 53 * log10(2)
           : dtype == CR_F16 ? 11 * log10(2)
                             : 8 * log10(2);
}

/* "s = y_hat - y"; of what has no name, the formula alone. Long ones are cut. */
static void write_node(struct cr_text *t, cr_node x) {
    enum { most = 72 };
    struct cr_text formula = text_make(&t->mem);
    if (cr_name(x)) text_add(t, "%s = ", cr_name(x));
    print_formula(&formula, x, NULL, true);
    size_t n = formula.n;
    if (n > most)
        for (n = most; n > 0 && (cr_text_str(&formula)[n] & 0xC0) == 0x80;) n--;
    text_bytes(t, cr_text_str(&formula), n);
    if (n < formula.n) text_str(t, "...");
    text_end(&formula, t);
}

/* " in step 3 of scan", the innermost loop first. */
static void write_steps(struct cr_text *t, const struct loss_of_digits *l) {
    for (int k = l->loops; k-- > 0;)
        text_add(t, " in step %lld of %s", (long long)l->step[k],
                 control_name(l->loop[k].graph, graph_get(l->loop[k])));
}

static void write_place_of(struct cr_text *t, const struct loss_of_digits *l) {
    write_node(t, l->at);
    write_steps(t, l);
}

/* What a function computes its derivative computes again: said once. */
static void drop_repeated(struct rounding_of *r, const struct mem *mem) {
    struct cr_text said[most_losses];
    int kept = 0, all = r->losses;
    for (int i = 0; i < all; i++) {
        bool again = false;
        said[i] = text_make(mem);
        write_place_of(&said[i], &r->loss[i]);
        for (int k = 0; k < i; k++)
            again = again || strcmp(cr_text_str(&said[k]), cr_text_str(&said[i])) == 0;
        if (!again) r->loss[kept++] = r->loss[i];
    }
    r->losses = kept;
    for (int i = 0; i < all; i++) text_drop(&said[i]);
}

static const char *why(const struct loss_of_digits *l) {
    return l->cancels ? "cancellation" : "ill-conditioned";
}

static void write_place(struct cr_text *t, cr_node x, int64_t i) {
    int64_t place[CR_MAX_RANK];
    for (int k = cr_rank(x); k-- > 0;) place[k] = i % cr_dims(x)[k], i /= cr_dims(x)[k];
    text_dims(t, cr_rank(x), place);
}

/* One line, or object: of x, called name. */
struct line {
    cr_node x;
    const char *name, *by; /* by: of a gradient, what by */
    struct rounding_of r;
};

static void write_name(struct cr_text *t, const struct line *l) {
    text_add(t, l->by ? "d%s/d%s" : "%s", l->name, l->by);
}

static void write_text(struct cr_text *t, const struct line *l) {
    const struct rounding_of *r = &l->r;
    double of = digits_in(cr_dtype_of(l->x));
    int all = (int)(of + 0.5); /* 15.95 in f64: 15.9 are 15 that are right, but what is exact has 16 */
    write_name(t, l);
    if (!cr_count(l->x)) text_str(t, ": no number\n");
    if (!cr_count(l->x)) return;
    text_add(t, ": %d of %d digits", (int)(r->bound == 0 ? all : digits_left(r, of)), all);
    if (cr_rank(l->x)) text_str(t, " at "), write_place(t, l->x, r->element);
    if (r->value == 0 && r->bound > 0)
        text_str(t, ", since it is 0, off by at most "), text_rounded(t, r->bound, 2);
    if (!isfinite(r->value)) text_str(t, ", since it is "), text_rounded(t, r->value, 3);
    for (int i = 0; i < r->losses; i++) {
        text_str(t, i ? ", " : "; ");
        double tenths = floor(r->loss[i].digits * 10 + 0.5) / 10;
        text_rounded(t, tenths, 3);
        text_str(t, i ? " at " : " lost at ");
        write_place_of(t, &r->loss[i]);
        text_add(t, " (%s)", why(&r->loss[i]));
    }
    text_char(t, '\n');
}

/* With so many significant digits; 0: all that it has. */
static void write_json_number(struct cr_text *t, const char *name, double v, int digits) {
    text_add(t, ", \"%s\": ", name);
    if (!isfinite(v)) text_char(t, '"');
    if (digits) text_rounded(t, v, digits);
    else text_number(t, v);
    if (!isfinite(v)) text_char(t, '"');
}

static void write_json_string(struct cr_text *t, struct cr_text *s) {
    text_json(t, cr_text_str(s), "");
    text_end(s, t);
}

static void write_json(struct cr_text *t, const struct line *l) {
    const struct rounding_of *r = &l->r;
    struct cr_text name = text_make(&t->mem);
    write_name(&name, l);
    text_str(t, "{\"name\": "), write_json_string(t, &name);
    if (cr_rank(l->x)) text_str(t, ", \"element\": "), write_place(t, l->x, r->element);
    if (cr_count(l->x)) {
        write_json_number(t, "value", r->value, 0), write_json_number(t, "bound", r->bound, 3);
        write_json_number(t, "digits", digits_left(r, digits_in(cr_dtype_of(l->x))), 4);
    }
    write_json_number(t, "of", digits_in(cr_dtype_of(l->x)), 4);
    text_str(t, ", \"lost\": [");
    for (int i = 0; i < r->losses; i++) {
        struct cr_text at = text_make(&t->mem);
        write_place_of(&at, &r->loss[i]);
        text_str(t, i ? ", {\"at\": " : "{\"at\": "), write_json_string(t, &at);
        write_json_number(t, "digits", r->loss[i].digits, 3);
        text_add(t, ", \"why\": \"%s\"}", why(&r->loss[i]));
    }
    text_str(t, "]}");
}

/* ---- All lines ---- */

static cr_status write_lines(cr_text *out, bool json, cr_eval *e, int n, const cr_node x[],
                             const cr_node wrt[]) {
    struct digits d;
    const char *name = cr_name(x[0]) ? cr_name(x[0]) : "value";
    cr_status status = digits_open(&d, e, n, x);
    if (json) text_char(out, '[');
    for (int i = 0; i < n && !status; i++) {
        struct line l = {.x = x[i], .name = name, .by = i ? cr_name(wrt[i - 1]) : NULL};
        status = digits_of(&d, x[i], -1, &l.r);
        if (i && json) text_str(out, ", ");
        if (status) break;
        drop_repeated(&l.r, &out->mem);
        if (json) write_json(out, &l);
        else write_text(out, &l);
    }
    if (json) text_str(out, "]\n");
    digits_tell(&d, &status);
    digits_close(&d);
    return status ? status : text_status(out);
}

static bool good_format(cr_graph *g, const char *format) {
    if (format && (strcmp(format, "text") == 0 || strcmp(format, "json") == 0)) return true;
    graph_fail(g, CR_EINVAL, "digits", "expected text or json, found '%s'", format ? format : "nothing");
    return false;
}

/* A result without a number has none to be right. */
static bool good_result(cr_node x) {
    if (dtype_is_float(cr_dtype_of(x))) return true;
    graph_fail(x.graph, CR_EDTYPE, "digits", "integers and bools are exact: expected fractions, found %s",
               cr_dtype_name(cr_dtype_of(x)));
    return false;
}

cr_status cr_digits(cr_text *out, const char *format, cr_eval *e, cr_node result, int n,
                    const cr_node wrt[]) {
    if (!out || !e || n < 0 || (n && !wrt) || !eval_fits(e, result)) return CR_EINVAL;
    cr_graph *g = result.graph;
    if (!good_format(g, format)) return CR_EINVAL;
    if (!good_result(result)) return CR_EDTYPE;
    size_t mark = cr_graph_mark(g), bytes = mem_mul((size_t)n + 1, sizeof(cr_node));
    struct mem mem = g->mem;
    cr_node *x = mem_alloc(&mem, bytes);
    if (!x) return CR_ENOMEM;
    x[0] = result;
    cr_status status = n ? cr_grad(x + 1, result, n, wrt) : CR_OK;
    if (!status) status = write_lines(out, strcmp(format, "json") == 0, e, n + 1, x, wrt);
    mem_free(&mem, x, bytes);
    cr_graph_cut(g, mark);
    return status;
}

cr_status cr_rounding_bound(double *bound, cr_eval *e, cr_node y, int64_t element) {
    struct digits d;
    struct rounding_of r = {0};
    if (!bound || !e || !eval_fits(e, y) || element < 0 || element >= cr_count(y)) return CR_EINVAL;
    if (!good_result(y)) return CR_EDTYPE;
    size_t mark = cr_graph_mark(y.graph);
    cr_status status = digits_open(&d, e, 1, &y);
    if (!status) status = digits_of(&d, y, element, &r);
    digits_tell(&d, &status);
    digits_close(&d);
    cr_graph_cut(y.graph, mark);
    *bound = r.bound;
    return status;
}

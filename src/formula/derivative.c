/* Words of the language itself: derivatives, variables, what is known of a value before the run. */
#include "formula/model.h"

static const struct own {
    const char *name, *form;
    int n;
} words[] = {
    {"grad", "grad(loss, w)", 2},       {"jvp", "jvp(y, w, tangent)", 3},
    {"vjp", "vjp(y, w, cotangent)", 3}, {"variable", "variable(x)", 1},
    {"dtype", "dtype(x)", 1},           {"size", "size(x) or size(x, axis=0)", 1},
};

static const struct own *find_own(const struct token *name) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(name, words[i].name)) return &words[i];
    return NULL;
}

bool own_word(const struct token *name) { return find_own(name) != NULL; }

/* ---- Derivatives ---- */

/* One node, or those of a list, on the heap: NULL with a mistake. Where no list is meant, one is a tensor. */
struct nodes {
    bool list;
    size_t n;
    cr_node *x;
};

static struct nodes nodes_of(struct reader *r, const struct operand *o, bool list) {
    struct nodes v = {list && o->value.kind == VALUE_LIST, 1, NULL};
    if (v.list) v.n = o->value.list->n;
    if (v.n > INT16_MAX) return reader_fail(r, CR_ELIMIT, &o->at, "more than %d names", INT16_MAX), v;
    v.x = mem_alloc(&r->mem, mem_mul(v.n, sizeof *v.x));
    if (!v.x) return reader_no_memory(r), v;
    for (size_t i = 0; i < v.n; i++)
        v.x[i] = value_node(r, v.list ? o->value.list->item[i] : o->value, &o->at);
    return v;
}

static void nodes_free(struct reader *r, struct nodes *v) { mem_free(&r->mem, v->x, v->n * sizeof *v->x); }

static struct value list_of(struct reader *r, size_t n, const cr_node x[]) {
    struct value v = {.kind = VALUE_LIST, .list = reader_list(r)};
    for (size_t i = 0; i < n; i++) list_add(r, v.list, (struct value){.kind = VALUE_NODE, .node = x[i]});
    return v;
}

static struct value backward(struct reader *r, const struct token *name, cr_node y, const struct nodes *wrt,
                             const cr_node *cotangent) {
    struct nodes out = {true, wrt->n, mem_alloc(&r->mem, mem_mul(wrt->n, sizeof *out.x))};
    if (!out.x) return reader_no_memory(r);
    for (size_t i = 0; i < out.n; i++) out.x[i] = graph_error_node(r->g);
    reader_at(r, name);
    if (cotangent) cr_vjp(out.x, 1, &y, cotangent, (int)wrt->n, wrt->x);
    else cr_grad(out.x, y, (int)wrt->n, wrt->x);
    struct value v = node_value(r, out.n ? out.x[0] : y, name);
    if (!r->status && wrt->list) v = list_of(r, out.n, out.x);
    nodes_free(r, &out);
    return v;
}

static struct value forward(struct reader *r, const struct token *name, cr_node y, const struct nodes *wrt,
                            const struct nodes *tangent) {
    cr_node out = graph_error_node(r->g);
    if (tangent->n != wrt->n)
        return reader_fail(r, CR_EINVAL, name, "as many tangents as variables are expected: %zu for %zu",
                           tangent->n, wrt->n);
    reader_at(r, name);
    cr_jvp(&out, 1, &y, (int)wrt->n, wrt->x, tangent->x);
    return node_value(r, out, name);
}

/* grad(loss, w), vjp(y, w, g), jvp(y, w, t); w may be a list, and so is the result of grad and vjp then. */
static struct value derivative(struct reader *r, const struct token *name, const struct arguments *a) {
    const struct operand *x = argument(r, a, 0);
    cr_node y = value_node(r, x[0].value, &x[0].at);
    struct nodes wrt = nodes_of(r, &x[1], true), with = {0};
    struct value v = {0};
    if (a->n == 3) with = nodes_of(r, &x[2], wrt.list && token_is(name, "jvp"));
    if (!r->status)
        v = token_is(name, "jvp") ? forward(r, name, y, &wrt, &with) : backward(r, name, y, &wrt, with.x);
    nodes_free(r, &wrt);
    nodes_free(r, &with);
    return v;
}

/* ---- What is known before the run ---- */

static struct value size_of(struct reader *r, const struct arguments *a) {
    const struct operand *x = argument(r, a, 0), *axis = &x[1];
    cr_node of = value_node(r, x->value, &x->at);
    if (r->status) return (struct value){0};
    if (a->keywords == 0) return number_value((double)cr_count(of), true);
    int rank = cr_rank(of);
    int64_t i = (int64_t)axis->value.number;
    if (axis->value.kind != VALUE_NUMBER || !axis->value.integer)
        return reader_fail(r, CR_EAXIS, &axis->at, "axis: expected an integer");
    if (i < -rank || i >= rank)
        return reader_fail(r, CR_EAXIS, &axis->at, "axis %lld is outside of rank %d", (long long)i, rank);
    return number_value((double)cr_dims(of)[i < 0 ? i + rank : i], true);
}

struct value read_own_word(struct reader *r, const struct token *name, const struct arguments *a) {
    const struct own *w = find_own(name);
    bool size = token_is(name, "size");
    if (a->n != w->n || (size ? a->keywords > 1 : a->keywords) ||
        (size && a->keywords && !token_is(&argument(r, a, 1)->key, "axis")))
        return reader_fail(r, CR_EINVAL, name, "expected %s", w->form);
    if (!r->g) return open_value();
    if (w->n > 1) return derivative(r, name, a);
    if (size) return size_of(r, a);
    const struct operand *x = argument(r, a, 0);
    cr_node of = value_node(r, x->value, &x->at);
    if (r->status) return (struct value){0};
    if (token_is(name, "dtype"))
        return (struct value){.kind = VALUE_DTYPE, .number = (double)cr_dtype_of(of)};
    reader_at(r, name);
    return node_value(r, cr_variable(of), name);
}

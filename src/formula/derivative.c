/* Words of the language itself: derivatives, variables, what is known of a value before the run. */
#include "formula/model.h"

/* One node, or those of a list, on the heap: NULL with a mistake. Where no list is meant, one is a tensor. */
struct nodes {
    bool list;
    size_t n;
    cr_node *x;
};

/* word(y, w), word(y, w, with): what they are, and the nodes made. */
struct derivative {
    cr_node y;
    struct nodes wrt, with, out;
    cr_mode mode;
};

static cr_status make_grad(struct derivative *d) { return cr_grad(d->out.x, d->y, (int)d->wrt.n, d->wrt.x); }

static cr_status make_vjp(struct derivative *d) {
    return cr_vjp(d->out.x, 1, &d->y, d->with.x, (int)d->wrt.n, d->wrt.x);
}

static cr_status make_jvp(struct derivative *d) {
    return cr_jvp(d->out.x, 1, &d->y, (int)d->wrt.n, d->wrt.x, d->with.x);
}

static cr_status make_jacobian(struct derivative *d) {
    return cr_jacobian(d->out.x, d->y, (int)d->wrt.n, d->wrt.x, d->mode);
}

static cr_status make_hessian(struct derivative *d) {
    return cr_hessian(d->out.x, d->y, (int)d->wrt.n, d->wrt.x);
}

/* The values; where they stand is kept beside them. */
static cr_status make_sparse_jacobian(struct derivative *d) {
    cr_status status = CR_OK;
    for (size_t i = 0; i < d->wrt.n && !status; i++) {
        cr_pattern *pattern;
        status = cr_sparse_jacobian(&d->out.x[i], &pattern, d->y, d->wrt.x[i]);
        cr_pattern_free(pattern);
    }
    return status;
}

static cr_status make_sparse_hessian(struct derivative *d) {
    cr_pattern *pattern;
    cr_status status = cr_sparse_hessian(d->out.x, &pattern, d->y, d->wrt.x[0]);
    cr_pattern_free(pattern);
    return status;
}

static cr_status make_hvp(struct derivative *d) {
    return cr_hvp(d->out.x, d->y, (int)d->wrt.n, d->wrt.x, d->with.x);
}

static cr_status make_vmap(struct derivative *d) {
    return cr_vmap(d->out.x, 1, &d->y, (int)d->wrt.n, d->wrt.x, d->with.x);
}

/* A derivative gives one node, or of a list w one for EACH, or for all PAIRS; or it takes no list. */
enum gives { ONE, EACH, PAIRS, ALONE };

static const struct own {
    const char *name, *form;
    int n;
    const char *keyword; /* that it may have */
    cr_status (*make)(struct derivative *d);
    enum gives gives;
    const char *with; /* what its third argument is one of for each of w */
} words[] = {
    {"grad", "grad(loss, w)", 2, NULL, make_grad, EACH, NULL},
    {"jvp", "jvp(y, w, tangent)", 3, NULL, make_jvp, ONE, "tangents"},
    {"vjp", "vjp(y, w, cotangent)", 3, NULL, make_vjp, EACH, NULL},
    {"jacobian", "jacobian(y, w) or jacobian(y, w, forward=true)", 2, "forward", make_jacobian, EACH, NULL},
    {"hessian", "hessian(loss, w)", 2, NULL, make_hessian, PAIRS, NULL},
    {"sparse_jacobian", "sparse_jacobian(y, w)", 2, NULL, make_sparse_jacobian, EACH, NULL},
    {"sparse_hessian", "sparse_hessian(loss, w)", 2, NULL, make_sparse_hessian, ALONE, NULL},
    {"hvp", "hvp(loss, w, v)", 3, NULL, make_hvp, EACH, "vectors"},
    {"vmap", "vmap(y, x, xs)", 3, NULL, make_vmap, ONE, "batches"},
    {"variable", "variable(x)", 1, NULL, NULL, ONE, NULL},
    {"stable", "stable(x)", 1, NULL, NULL, ONE, NULL},
    {"dtype", "dtype(x)", 1, NULL, NULL, ONE, NULL},
    {"size", "size(x) or size(x, axis=0)", 1, "axis", NULL, ONE, NULL},
};

static const struct own *find_own(const struct token *name) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(name, words[i].name)) return &words[i];
    return NULL;
}

const char *own_word_name(size_t i) { return i < sizeof words / sizeof *words ? words[i].name : NULL; }

bool own_word(const struct token *name) { return find_own(name) != NULL; }

/* ---- Derivatives ---- */

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

/* A list for each of w, or of such lists. */
static struct value result(struct reader *r, const struct own *w, const struct token *name,
                           const struct derivative *d) {
    size_t n = d->wrt.n;
    if (w->gives == ONE || !d->wrt.list) return node_value(r, d->out.n ? d->out.x[0] : d->y, name);
    if (w->gives == EACH) return node_list(r, n, d->out.x);
    struct value rows = node_list(r, 0, NULL);
    for (size_t i = 0; i < n; i++) list_add(r, rows.list, node_list(r, n, d->out.x + i * n));
    return rows;
}

static struct value differentiate(struct reader *r, const struct own *w, const struct token *name,
                                  struct derivative *d) {
    size_t n = d->wrt.n;
    d->out.n = w->gives == ONE ? 1 : w->gives == PAIRS ? mem_mul(n, n) : n;
    if (w->with && d->with.n != n)
        return reader_fail(r, CR_EINVAL, name, "as many %s as variables are expected: %zu for %zu", w->with,
                           d->with.n, n);
    d->out.x = mem_alloc(&r->mem, mem_mul(d->out.n, sizeof *d->out.x));
    if (!d->out.x) return reader_no_memory(r);
    for (size_t i = 0; i < d->out.n; i++) d->out.x[i] = graph_error_node(r->g);
    reader_at(r, name);
    cr_status status = w->make(d);
    struct value v = status ? node_value(r, graph_error_node(r->g), name) : result(r, w, name, d);
    nodes_free(r, &d->out);
    return v;
}

/* word(y, w), word(y, w, with); w may be a list, and so is `with` then if it has one for each. */
static struct value derivative(struct reader *r, const struct own *w, const struct token *name,
                               const struct arguments *a) {
    const struct operand *x = argument(r, a, 0);
    struct derivative d = {.y = value_node(r, x[0].value, &x[0].at)};
    struct value v = {0};
    d.wrt = nodes_of(r, &x[1], true);
    if (w->gives == ALONE && d.wrt.list)
        reader_fail(r, CR_EINVAL, &x[1].at, "expected one variable, not a list: %s", w->form);
    if (a->n == 3) d.with = nodes_of(r, &x[2], d.wrt.list && w->with);
    if (a->keywords) {
        const struct operand *forward = argument(r, a, a->n);
        d.mode = forward->value.number != 0 ? CR_FORWARD : CR_REVERSE;
        if (forward->value.kind != VALUE_BOOL)
            reader_fail(r, CR_EINVAL, &forward->at, "forward: expected true or false");
    }
    if (!r->status) v = differentiate(r, w, name, &d);
    nodes_free(r, &d.wrt);
    nodes_free(r, &d.with);
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
    bool keyword = a->keywords == 1 && w->keyword && token_is(&argument(r, a, a->n)->key, w->keyword);
    if (a->n != w->n || (a->keywords && !keyword))
        return reader_fail(r, CR_EINVAL, name, "expected %s", w->form);
    if (!r->g) return open_value();
    if (w->make) return derivative(r, w, name, a);
    if (token_is(name, "size")) return size_of(r, a);
    const struct operand *x = argument(r, a, 0);
    cr_node of = value_node(r, x->value, &x->at);
    if (r->status) return (struct value){0};
    if (token_is(name, "dtype"))
        return (struct value){.kind = VALUE_DTYPE, .number = (double)cr_dtype_of(of)};
    reader_at(r, name);
    return node_value(r, token_is(name, "stable") ? cr_stable(of) : cr_variable(of), name);
}

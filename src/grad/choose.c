/* Functions that choose for each slice. They are graphs of their own, in which `where` stands beside what it chooses from: so its mask
 * reaches what is differentiated. */
#include "grad/choose.h"

#include <stdio.h>
#include <string.h>

#include "ops/batch.h"

/* A function in the making. */
struct choice {
    cr_graph *g, *b;
    cr_node *in, *out, *x, *y; /* of the function; operands and results of those inlined */
    int n_in, n_out;
    size_t room;
};

static bool begin(struct choice *c, cr_graph *g, size_t room) {
    *c = (struct choice){.g = g, .b = cr_graph_new(g->ctx), .room = 2 * room + 4};
    c->in = mem_zero(&g->mem, mem_mul(4 * c->room, sizeof *c->in));
    if (!c->b || !c->in) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), false;
    c->out = c->in + c->room, c->x = c->out + c->room, c->y = c->x + c->room;
    return true;
}

/* The function; NULL: an error, which g tells. */
static cr_function *end(struct choice *c) {
    cr_function *f = NULL;
    if (c->b && c->in && !c->g->status && cr_function_new(&f, c->n_in, c->in, c->n_out, c->out))
        graph_fail(c->g, cr_graph_status(c->b), "vmap", "%s", cr_graph_error(c->b));
    if (c->in) mem_free(&c->g->mem, c->in, 4 * c->room * sizeof *c->in);
    cr_graph_free(c->b);
    return f;
}

static cr_node input(struct choice *c, cr_dtype dtype, const struct shape *s) {
    char name[24];
    snprintf(name, sizeof name, "x%d", c->n_in);
    return c->in[c->n_in++] = cr_input(c->b, name, dtype, s->rank, s->dim);
}

static cr_node input_like(struct choice *c, const cr_function *f, int i) {
    struct shape s = graph_shape(f->g, function_in(f, (uint32_t)i));
    return input(c, (cr_dtype)function_in(f, (uint32_t)i)->dtype, &s);
}

/* where of a bool for each slice. */
static cr_node chosen(cr_node each, cr_node a, cr_node b) {
    struct shape s = {.rank = cr_rank(a), .dim = {cr_count(each)}};
    for (int i = 1; i < s.rank; i++) s.dim[i] = 1;
    return cr_where(ops_reshape(each, &s), a, b);
}

/* ---- Made once for a graph ---- */

/* Which function of a and b, which may be NULL. A function cannot remember what is made of it and another, which it would have to hold:
 * the graph does. */
struct asked {
    cr_function *of[2];
    int64_t question[6];
};
enum { question_words = 6 };

static struct asked ask(enum derivation kind, cr_function *a, cr_function *b, int64_t slices, int64_t carry,
                        int64_t xs) {
    return (struct asked){{a, b}, {kind, slices, carry, xs, (int64_t)(uintptr_t)a, (int64_t)(uintptr_t)b}};
}

static cr_function *known(const cr_graph *g, const struct asked *q) {
    return derivations_find(&g->chosen, question_words, q->question);
}

/* f, which from now on is remembered; NULL: an error, which g tells. */
static cr_function *remember(cr_graph *g, const struct asked *q, cr_function *f) {
    if (!f || derivations_add(&g->chosen, &g->mem, question_words, q->question, f, q->of)) return f;
    cr_function_free(f);
    return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), NULL;
}

/* ---- cond ---- */

static cr_function *select_of(cr_graph *g, cr_function *yes, cr_function *no, int64_t slices) {
    struct choice c;
    struct asked q = ask(DERIVE_SELECT, yes, no, slices, 0, 0);
    if (known(g, &q)) return known(g, &q);
    int n = (int)yes->n_in, results = (int)yes->n_out;
    if (begin(&c, g, (size_t)n + (size_t)results)) {
        cr_node each = input(&c, CR_BOOL, &(struct shape){1, {slices}}), *other = c.y + results;
        for (int i = 0; i < n; i++) c.x[i] = input_like(&c, yes, i);
        function_inline(c.b, yes, c.x, c.y);
        function_inline(c.b, no, c.x, other);
        for (int i = 0; i < results; i++) c.out[c.n_out++] = chosen(each, c.y[i], other[i]);
    }
    return remember(g, &q, end(&c));
}

cr_node choose_cond(cr_graph *g, cr_function *yes, cr_function *no, int n, const cr_node x[]) {
    cr_function *f = select_of(g, yes, no, cr_count(x[0]));
    return f ? control_node(g, OP_call, 1, &f, 0, NULL, n, x) : graph_error_node(g);
}

/* ---- Loops ---- */

/* Operands of the function made: carry, steps taken; xs, and of a counted loop the number of the step; constants, and of a counted loop
 * the counts. */
static cr_function *step_of(cr_graph *g, cr_function *body, cr_function *condition, int64_t slices,
                            const struct loop_attr *l) {
    struct choice c;
    struct asked q = ask(DERIVE_STEP, body, condition, slices, l->carry, l->xs);
    if (known(g, &q)) return known(g, &q);
    int carry = (int)l->carry, consts = carry + (int)l->xs, n = (int)body->n_in, results = (int)body->n_out;
    if (begin(&c, g, (size_t)n + (size_t)results)) {
        struct shape each = {1, {slices}}, one = {0};
        cr_node step = graph_error_node(c.b), count = step, active = step; /* unless memory is out */
        for (int i = 0; i < carry; i++) c.x[i] = input_like(&c, body, i);
        cr_node taken = input(&c, CR_I64, &each);
        for (int i = carry; i < consts; i++) c.x[i] = input_like(&c, body, i);
        if (!condition) step = input(&c, CR_I64, &one);
        for (int i = consts; i < n; i++) c.x[i] = input_like(&c, body, i);
        if (!condition) count = input(&c, CR_I64, &each);
        if (condition) function_inline(c.b, condition, c.x, &active);
        else active = cr_lt(step, count);
        function_inline(c.b, body, c.x, c.y);
        for (int i = 0; i < carry; i++) c.out[c.n_out++] = chosen(active, c.y[i], c.x[i]);
        c.out[c.n_out++] = cr_add(taken, cr_cast(active, CR_I64));
        for (int i = carry; i < results; i++) {
            struct shape s = ops_shape(c.y[i]);
            c.out[c.n_out++] = chosen(active, c.y[i], ops_zeros(c.b, cr_dtype_of(c.y[i]), &s));
        }
    }
    return remember(g, &q, end(&c));
}

/* Does any slice go on? */
static cr_function *any_of(cr_graph *g, cr_function *condition, int64_t slices, const struct loop_attr *l) {
    struct choice c;
    struct asked q = ask(DERIVE_ANY, condition, NULL, slices, l->carry, 0);
    if (known(g, &q)) return known(g, &q);
    int carry = (int)l->carry, n = (int)condition->n_in;
    if (begin(&c, g, (size_t)n + 1)) {
        for (int i = 0; i < carry; i++) c.x[i] = input_like(&c, condition, i);
        input(&c, CR_I64, &(struct shape){1, {slices}});
        for (int i = carry; i < n; i++) c.x[i] = input_like(&c, condition, i);
        function_inline(c.b, condition, c.x, c.y);
        c.out[c.n_out++] = cr_lt(cr_number(c.b, 0), cr_sum(c.y[0], 0, NULL, false));
    }
    return remember(g, &q, end(&c));
}

static cr_node choose_from(cr_graph *g, cr_function *step, cr_function *any, int64_t slices,
                           struct loop_attr l, int n, const cr_node x[]) {
    int first = (int)l.counted, carry = first + (int)l.carry, consts = carry + (int)l.xs, m = 0;
    cr_node *all = mem_zero(&g->mem, mem_mul((size_t)n + 3, sizeof *all)), y = graph_error_node(g);
    struct shape each = {1, {slices}};
    if (!all) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    if (first) all[m++] = cr_max(x[0], 0, NULL, false);
    for (int i = first; i < carry; i++) all[m++] = x[i];
    all[m++] = ops_zeros(g, CR_I64, &each);
    for (int i = carry; i < consts; i++) all[m++] = x[i];
    if (first) all[m++] = cr_iota(g, l.n);
    for (int i = consts; i < n; i++) all[m++] = x[i];
    if (first) all[m++] = x[0];
    l.carry++, l.xs += first;
    if (!g->status) y = control_loop(g, step, any, &l, m, all);
    mem_free(&g->mem, all, ((size_t)n + 3) * sizeof *all);
    return y;
}

cr_node choose_loop(cr_graph *g, cr_function *body, cr_function *condition, int64_t slices,
                    const struct loop_attr *l, int n, const cr_node x[]) {
    cr_function *step = step_of(g, body, condition, slices, l),
                *any = condition && step ? any_of(g, condition, slices, l) : NULL;
    return step && (any || !condition) ? choose_from(g, step, any, slices, *l, n, x) : graph_error_node(g);
}

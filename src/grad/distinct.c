/* Derivatives along one direction meet it again: of a function of x and its tangent, the tangent of x is that same tangent. Without
 * a look at what is the same, each order would double operands, carries and results. */
#include "grad/distinct.h"

#include "graph/copy.h"

/* same[i]: the first operand from `first` on that operand i is. Are there any before i? */
static bool find_same(uint32_t same[], int first, int end, const cr_node x[]) {
    bool any = false;
    for (int i = first; i < end; i++) {
        int k = first;
        while (!cr_same(x[k], x[i])) k++;
        same[i] = (uint32_t)k;
        any = any || k < i;
    }
    return any;
}

/* Those that are the first of their kind, at the front of to, which may be x. */
static int put_first(cr_node to[], int from, int n, const uint32_t same[], const cr_node x[]) {
    for (int i = 0; i < n; i++)
        if (same[i] == (uint32_t)i) to[from++] = x[i];
    return from;
}

/* ---- Calls ---- */

static cr_node few_operands(cr_graph *g, int op, int functions, cr_function *const f[], int n,
                            const cr_node x[]) {
    int first = op == OP_cond; /* the condition */
    size_t size = (size_t)n + 1;
    uint32_t *same = mem_zero(&g->mem, mem_mul(size, sizeof *same));
    cr_node *few = mem_zero(&g->mem, mem_mul(size, sizeof *few)), y = graph_error_node(g);
    cr_function *on_few[2] = {NULL};
    bool ok = same && few;
    if (!ok) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    else if (!find_same(same, 0, n - first, x + first)) y = control_node(g, op, functions, f, 0, NULL, n, x);
    else {
        for (int i = 0; i < functions && ok; i++)
            ok = (on_few[i] = derive_distinct(g, f[i], same, NULL)) != NULL;
        if (first) few[0] = x[0];
        int m = put_first(few, first, n - first, same, x + first);
        if (ok) y = control_node(g, op, functions, on_few, 0, NULL, m, few);
    }
    mem_free(&g->mem, few, size * sizeof *few);
    mem_free(&g->mem, same, size * sizeof *same);
    return y;
}

cr_node distinct_call(cr_graph *g, cr_function *f, int n, const cr_node x[]) {
    return few_operands(g, OP_call, 1, &f, n, x);
}

cr_node distinct_cond(cr_graph *g, cr_function *yes, cr_function *no, int n, const cr_node x[]) {
    return few_operands(g, OP_cond, 2, (cr_function *[]){yes, no}, n, x);
}

/* ---- Loops ---- */

void distinct_free(struct distinct_loop *d) {
    mem_free(&d->g->mem, d->same, 2 * d->operands * sizeof *d->same);
    mem_free(&d->g->mem, d->at, d->parts * sizeof *d->at);
    mem_free(&d->g->mem, d->keep, d->parts);
}

/* Carries that a step leaves different are not the same: those before did not know it. True: there were any. */
static bool part_carries(struct distinct_loop *d, int carry, const cr_function *step) {
    uint32_t *before = d->same + d->operands;
    bool any = false;
    for (int i = 0; i < carry; i++) before[i] = d->same[i];
    for (int i = 0; i < carry; i++) {
        int k = 0;
        while (before[k] != before[i] || step->out[k] != step->out[i]) k++;
        any = any || d->same[i] != (uint32_t)k;
        d->same[i] = (uint32_t)k;
    }
    return any;
}

/* The body of distinct operands, whose equal results are equal nodes. NULL: an error. */
static cr_function *find_carries(struct distinct_loop *d, cr_function *body, int carry) {
    cr_function *step;
    do step = derive_distinct(d->g, body, d->same, NULL);
    while (step && part_carries(d, carry, step));
    return step;
}

/* Where each part is, and which results stay. */
static void place_parts(struct distinct_loop *d, const cr_function *step, const struct loop_attr *l) {
    const int carry = (int)l->carry, results = (int)step->n_out, last = (int)d->parts - 1;
    uint32_t n = 0;
    for (int i = 0; i < results; i++) {
        int first = i < carry ? 0 : carry, k = i < carry ? (int)d->same[i] : first;
        while (i >= carry && step->out[k] != step->out[i]) k++;
        d->keep[i] = k == i;
        d->at[i] = k == i ? n++ : d->at[k];
    }
    for (int i = results; i < last; i++) { /* each carry before each step */
        uint32_t k = d->same[i - results];
        d->at[i] = k == (uint32_t)(i - results) ? n++ : d->at[(uint32_t)results + k];
    }
    d->at[last] = n;
}

static void few_carries(struct distinct_loop *d, cr_function *body, cr_function *condition,
                        struct loop_attr l, int n, const cr_node x[]) {
    int first = (int)l.counted, carry = (int)l.carry, consts = carry + (int)l.xs, m = first;
    cr_function *step = find_carries(d, body, carry);
    if (!step) return;
    place_parts(d, step, &l);
    cr_node *few = mem_zero(&d->g->mem, mem_mul((size_t)n + 1, sizeof *few));
    cr_function *to = derive_distinct(d->g, body, d->same, d->keep),
                *holds = condition && to ? derive_distinct(d->g, condition, d->same, NULL) : NULL;
    l.carry = l.xs = 0;
    for (int i = 0; i < consts; i++)
        if (d->same[i] == (uint32_t)i) ++*(i < carry ? &l.carry : &l.xs);
    if (few && first) few[0] = x[0];
    if (few) m = put_first(few, first, n - first, d->same, x + first);
    else graph_fail(d->g, CR_ENOMEM, NULL, "out of memory");
    if (few && to && (holds || !condition)) d->y = control_loop(d->g, to, holds, &l, m, few);
    mem_free(&d->g->mem, few, ((size_t)n + 1) * sizeof *few);
}

void distinct_loop(struct distinct_loop *d, cr_graph *g, cr_function *body, cr_function *condition,
                   const struct loop_attr *l, int n, const cr_node x[]) {
    int carry = (int)l->carry, consts = carry + (int)l->xs, parts = loop_count(body, l) + 1;
    if (l->n < 0) parts = carry + 1;
    *d = (struct distinct_loop){.y = graph_error_node(g), .g = g};
    d->operands = (size_t)body->n_in + 1, d->parts = (size_t)parts;
    d->same = mem_zero(&g->mem, mem_mul(2 * d->operands, sizeof *d->same));
    d->at = mem_zero(&g->mem, mem_mul(d->parts, sizeof *d->at));
    d->keep = mem_zero(&g->mem, d->parts);
    if (!d->same || !d->at || !d->keep) {
        graph_fail(g, CR_ENOMEM, NULL, "out of memory");
        return;
    }
    const cr_node *operand = x + l->counted;
    find_same(d->same, 0, carry, operand);
    find_same(d->same, carry, consts, operand);
    find_same(d->same, consts, (int)body->n_in, operand);
    few_carries(d, body, condition, *l, n, x);
}

/* ---- A function on operands of which some are the same ---- */

/* A copy in the making. */
struct copying {
    cr_graph *g;
    const cr_function *f;
    uint32_t *map; /* by node of f: its number in g */
    struct few *few;
    size_t few_n;
};

/* A control node of f that has fewer parts in g: part i is part at[i]. */
struct few {
    uint32_t id, *at;
    size_t parts;
};

/* Which results of a call, or of both functions of a cond, are the same: at, and marks of those that stay. */
static bool same_results(cr_graph *g, int functions, cr_function *const f[], const uint32_t same[],
                         uint32_t at[], uint8_t keep[]) {
    const cr_function *on[2] = {NULL};
    uint32_t n = 0;
    for (int i = 0; i < functions; i++)
        if (!(on[i] = derive_distinct(g, f[i], same, NULL))) return false;
    for (uint32_t i = 0; i < f[0]->n_out; i++) {
        uint32_t k = 0;
        while (on[0]->out[k] != on[0]->out[i] || (on[1] && on[1]->out[k] != on[1]->out[i])) k++;
        keep[i] = k == i;
        at[i] = k == i ? n++ : at[k];
    }
    return true;
}

static cr_node run_few(cr_graph *g, int op, int functions, cr_function *const f[], const uint32_t same[],
                       int n, const cr_node x[], uint32_t at[]) {
    int first = op == OP_cond, m = first;
    cr_node *few = mem_zero(&g->mem, mem_mul((size_t)n + 1, sizeof *few)), y = graph_error_node(g);
    uint8_t *keep = mem_zero(&g->mem, f[0]->n_out);
    cr_function *on[2] = {NULL};
    bool ok = few && keep;
    if (!ok) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    ok = ok && same_results(g, functions, f, same, at, keep);
    for (int i = 0; i < functions && ok; i++) ok = (on[i] = derive_distinct(g, f[i], same, keep)) != NULL;
    if (ok && first) few[0] = x[0];
    if (ok) m = put_first(few, first, n - first, same, x + first);
    if (ok) y = control_node(g, op, functions, on, 0, NULL, m, few);
    mem_free(&g->mem, keep, f[0]->n_out);
    mem_free(&g->mem, few, ((size_t)n + 1) * sizeof *few);
    return y;
}

/* The node on these operands; at: by part. */
static cr_node control_again(cr_graph *g, const cr_graph *from, const struct node *n, const cr_node x[],
                             uint32_t at[], size_t parts) {
    cr_function *f[2] = {control_function(from, n, 0),
                         n->op == OP_call ? NULL : control_function(from, n, 1)};
    int count = (int)n->n, first = n->op == OP_cond;
    cr_node y = graph_error_node(g);
    if (n->op == OP_scan) {
        struct loop_attr l = loop_attr(from, n);
        struct distinct_loop d;
        distinct_loop(&d, g, f[0], f[1], &l, count, x);
        for (size_t i = 0; i < parts && cr_ok(d.y); i++) at[i] = d.at[i];
        y = d.y;
        distinct_free(&d);
        return y;
    }
    uint32_t *same = mem_zero(&g->mem, mem_mul((size_t)count + 1, sizeof *same));
    if (!same) return graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    find_same(same, 0, count - first, x + first);
    y = run_few(g, n->op, 1 + first, f, same, count, x, at);
    mem_free(&g->mem, same, ((size_t)count + 1) * sizeof *same);
    return y;
}

/* Does it run functions, and are any of its operands the same? A callback, and the solution of an equation, take all. */
static bool meets_itself(const struct copying *c, const struct node *n) {
    bool runs = n->op == OP_scan || n->op == OP_cond || n->op == OP_call;
    const uint32_t *a = graph_args(c->f->g, n);
    if (!runs || control_function(c->f->g, n, 0)->callback) return false;
    for (uint32_t i = 0; i < n->n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (c->map[a[i]] == c->map[a[k]]) return true;
    return false;
}

static cr_node copy_few(struct copying *c, uint32_t id) {
    const struct node *n = graph_at(c->f->g, id);
    cr_node *x = mem_alloc(&c->g->mem, mem_mul(n->n, sizeof *x)), y = graph_error_node(c->g);
    struct few few = {.id = id, .parts = (size_t)ops_part_count(c->f->g, n)};
    few.at = mem_zero(&c->g->mem, mem_mul(few.parts, sizeof *few.at));
    if (!x || !few.at) graph_fail(c->g, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t k = 0; x && k < n->n; k++) x[k] = graph_handle(c->g, c->map[graph_args(c->f->g, n)[k]]);
    if (x && few.at) y = control_again(c->g, c->f->g, n, x, few.at, few.parts);
    mem_free(&c->g->mem, x, n->n * sizeof *x);
    c->few[c->few_n++] = few;
    return y;
}

static const struct few *few_of(const struct copying *c, uint32_t id) {
    for (size_t i = c->few_n; i-- > 0;)
        if (c->few[i].id == id) return &c->few[i];
    return NULL;
}

static cr_node copy_one(struct copying *c, uint32_t id) {
    const struct node *n = graph_at(c->f->g, id);
    const struct few *few = n->op == OP_part ? few_of(c, n->arg[0]) : NULL;
    if (few) return cr_part(graph_handle(c->g, c->map[n->arg[0]]), (int)few->at[graph_attr(c->f->g, n)[0]]);
    return meets_itself(c, n) ? copy_few(c, id) : graph_copy_node(c->g, c->f->g, id, c->map);
}

void distinct_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]) {
    size_t count = f->g->count, runs = f->g->control_n + 1;
    struct copying c = {.g = g, .f = f};
    c.map = mem_zero(&g->mem, mem_mul(count, sizeof *c.map));
    c.few = mem_zero(&g->mem, mem_mul(runs, sizeof *c.few));
    if (!c.map || !c.few) graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t i = 0; i < f->n_in && !g->status; i++) c.map[f->in[i]] = x[i].id;
    for (uint32_t id = 1; id < count && !g->status; id++)
        if (!c.map[id]) c.map[id] = copy_one(&c, id).id;
    for (uint32_t i = 0; i < f->n_out; i++)
        out[i] = g->status ? graph_error_node(g) : graph_handle(g, c.map[f->out[i]]);
    for (size_t i = 0; i < c.few_n; i++) mem_free(&g->mem, c.few[i].at, c.few[i].parts * sizeof *c.few[i].at);
    mem_free(&g->mem, c.few, runs * sizeof *c.few);
    mem_free(&g->mem, c.map, count * sizeof *c.map);
}

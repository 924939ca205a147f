/* Functions: closed private graphs, and callbacks. */
#include "graph/function.h"

#include <stdio.h>
#include <string.h>

#include "graph/copy.h"

void function_hold(cr_function *f) { atomic_fetch_add_explicit(&f->holders, 1, memory_order_relaxed); }

static void drop(cr_function *f) {
    struct mem m = f->mem;
    derivations_drop(&f->derived, &m);
    mem_free(&m, f->in, f->n_in * sizeof *f->in);
    mem_free(&m, f->out, f->n_out * sizeof *f->out);
    if (f->name) mem_free(&m, f->name, strlen(f->name) + 1);
    cr_graph_free(f->g);
    mem_free(&m, f, sizeof *f);
}

/* Derivatives of derivatives are as deep as the order asked for. */
void cr_function_free(cr_function *f) {
    if (f && atomic_fetch_sub_explicit(&f->holders, 1, memory_order_acq_rel) == 1) drop(f);
}

int cr_function_inputs(const cr_function *f) { return f ? (int)f->n_in : 0; }
int cr_function_outputs(const cr_function *f) { return f ? (int)f->n_out : 0; }

/* ---- Making ---- */

static bool all_of(cr_graph *g, int n, const cr_node x[], const char *what, bool inputs) {
    for (int i = 0; i < n; i++) {
        const struct node *node = graph_get(x[i]);
        if (!node || x[i].graph != g)
            return graph_fail(g, CR_EINVAL, "function",
                              "%s %d is an error node, was cut, or is of another graph", what, i + 1),
                   false;
        if (inputs && node->op != OP_input)
            return graph_fail(g, CR_EINVAL, "function", "%s %d is no input but the result of %s", what, i + 1,
                              op_name(node->op)),
                   false;
        for (int k = 0; inputs && k < i; k++)
            if (x[k].id == x[i].id)
                return graph_fail(g, CR_EINVAL, "function", "input %d is input %d again: '%s'", i + 1, k + 1,
                                  cr_name(x[i])),
                       false;
    }
    return true;
}

static cr_function *allocate(cr_graph *g, int n_in, int n_out) {
    cr_function *f = mem_zero(&g->mem, sizeof *f);
    if (!f) return NULL;
    *f = (cr_function){.mem = g->mem, .ctx = g->ctx, .n_in = (uint32_t)n_in, .n_out = (uint32_t)n_out};
    atomic_init(&f->holders, 1);
    f->in = mem_zero(&f->mem, mem_mul(f->n_in, sizeof *f->in));
    f->out = mem_zero(&f->mem, mem_mul(f->n_out, sizeof *f->out));
    if (f->in && f->out) return f;
    drop(f);
    return NULL;
}

/* The first leaf that is needed and not handed over; 0: none. */
static uint32_t stray(const cr_graph *g, const uint32_t *map, int n, const cr_node inputs[]) {
    for (size_t i = 0; i < g->leaf_n; i++) {
        bool listed = false;
        for (int k = 0; k < n; k++) listed = listed || inputs[k].id == g->leaf[i];
        if (map[g->leaf[i]] && !listed) return g->leaf[i];
    }
    return 0;
}

/* A literal has its dtype in a function; that it takes another's where it stands is said no more. */
static cr_node without_idle_cast(void *unused, cr_node y) {
    const struct node *n = graph_get(y);
    (void)unused;
    bool idle = n->op == OP_cast && graph_at(y.graph, n->arg[0])->dtype == n->dtype;
    return idle ? graph_handle(y.graph, n->arg[0]) : y;
}

static cr_status fill(cr_function *f, cr_graph *g, const cr_node inputs[], const cr_node outputs[],
                      uint32_t *map, uint32_t *root) {
    for (uint32_t i = 0; i < f->n_out; i++) root[i] = outputs[i].id;
    for (uint32_t i = 0; i < f->n_in; i++) root[f->n_out + i] = inputs[i].id;
    struct copy_wish wish = {.n = f->n_out + f->n_in, .root = root, .instead = without_idle_cast};
    f->g = graph_copy(g, &wish, map);
    if (!f->g) return CR_ENOMEM;
    uint32_t other = stray(g, map, (int)f->n_in, inputs);
    if (other) {
        cr_node leaf = graph_handle(g, other);
        graph_fail(g, CR_EINVAL, "function",
                   "'%s' is needed, and is none of the function's inputs: hand it over as one",
                   cr_name(leaf));
        return CR_EINVAL;
    }
    for (uint32_t i = 0; i < f->n_in; i++) f->in[i] = map[inputs[i].id];
    for (uint32_t i = 0; i < f->n_out; i++) f->out[i] = map[outputs[i].id];
    return CR_OK;
}

static cr_status copied(cr_function *f, cr_graph *g, const cr_node inputs[], const cr_node outputs[]) {
    size_t count = g->count, roots = (size_t)f->n_in + f->n_out;
    uint32_t *map = mem_alloc(&g->mem, mem_mul(count, sizeof *map)),
             *root = mem_alloc(&g->mem, mem_mul(roots, sizeof *root));
    cr_status status = map && root ? fill(f, g, inputs, outputs, map, root) : CR_ENOMEM;
    mem_free(&g->mem, map, count * sizeof *map);
    mem_free(&g->mem, root, roots * sizeof *root);
    return status;
}

static cr_graph *graph_of(int n_in, const cr_node in[], int n_out, const cr_node out[]) {
    if (n_in < 0 || n_out < 1 || (n_in && !in) || !out) return NULL;
    return out[0].graph;
}

cr_status cr_function_new(cr_function **out, int n_in, const cr_node inputs[], int n_out,
                          const cr_node outputs[]) {
    if (out) *out = NULL;
    cr_graph *g = graph_of(n_in, inputs, n_out, outputs);
    if (!out || !g) return CR_EINVAL;
    if (g->status) return g->status;
    if (!all_of(g, n_in, inputs, "input", true) || !all_of(g, n_out, outputs, "output", false))
        return CR_EINVAL;
    cr_function *f = allocate(g, n_in, n_out);
    cr_status status = f ? copied(f, g, inputs, outputs) : CR_ENOMEM;
    if (status == CR_ENOMEM) graph_fail(g, status, NULL, "out of memory");
    if (status) cr_function_free(f);
    else *out = f;
    return status;
}

bool function_set_name(cr_function *f, const char *name, size_t n, const char *behind) {
    size_t more = strlen(behind);
    f->name = mem_alloc(&f->mem, n + more + 1);
    if (!f->name) return false;
    memcpy(f->name, name, n);
    memcpy(f->name + n, behind, more + 1);
    return true;
}

/* ---- Callbacks ---- */

/* Inputs that show dtype and shape. */
static bool show(cr_graph *g, char letter, int n, const cr_node like[], uint32_t id[]) {
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "%c%d", letter, i);
        id[i] = cr_input(g, name, cr_dtype_of(like[i]), cr_rank(like[i]), cr_dims(like[i])).id;
        if (!id[i]) return false;
    }
    return true;
}

cr_status function_callback(cr_function **out, const char *name, int n_in, const cr_node in[], int n_out,
                            const cr_node results[]) {
    cr_graph *g = graph_of(n_in, in, n_out, results);
    if (!g) return CR_EINVAL;
    if (g->status) return g->status;
    if (!all_of(g, n_in, in, "operand", false) || !all_of(g, n_out, results, "result", false))
        return CR_EINVAL;
    cr_function *f = allocate(g, n_in, n_out);
    if (f) f->g = cr_graph_new(g->ctx), f->ulps = 1;
    if (!f || !f->g || !function_set_name(f, name, strlen(name), "") || !show(f->g, 'x', n_in, in, f->in) ||
        !show(f->g, 'y', n_out, results, f->out)) {
        cr_function_free(f);
        return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), CR_ENOMEM;
    }
    *out = f;
    return CR_OK;
}

/* ---- Inlining ---- */

static void inline_all(cr_graph *g, const cr_function *f, const cr_node x[], uint32_t *map) {
    for (uint32_t i = 0; i < f->n_in; i++) map[f->in[i]] = x[i].id;
    for (uint32_t id = 1; id < f->g->count && !g->status; id++)
        if (!map[id]) map[id] = graph_copy_node(g, f->g, id, map).id;
}

bool function_inline(cr_graph *g, const cr_function *f, const cr_node x[], cr_node out[]) {
    size_t count = f->g->count;
    uint32_t *map = mem_zero(&g->mem, mem_mul(count, sizeof *map));
    if (!map) return graph_fail(g, CR_ENOMEM, NULL, "out of memory"), false;
    inline_all(g, f, x, map);
    for (uint32_t i = 0; i < f->n_out; i++)
        out[i] = g->status ? graph_error_node(g) : graph_handle(g, map[f->out[i]]);
    mem_free(&g->mem, map, count * sizeof *map);
    return g->status == CR_OK;
}

/* ---- Derivatives ---- */

cr_function *derivations_find(const struct derivations *d, size_t words, const int64_t question[]) {
    for (size_t i = 0; i < d->n; i++)
        if (d->entry[i].words == words &&
            memcmp(d->entry[i].question, question, words * sizeof *question) == 0)
            return d->entry[i].function;
    return NULL;
}

bool derivations_add(struct derivations *d, const struct mem *m, size_t words, const int64_t question[],
                     cr_function *f, cr_function *const of[2]) {
    int64_t *copy = mem_alloc(m, words * sizeof *copy);
    if (!copy || !mem_grow(m, &d->entry, &d->cap, d->n, sizeof *d->entry))
        return mem_free(m, copy, words * sizeof *copy), false;
    memcpy(copy, question, words * sizeof *copy);
    for (int i = 0; of && i < 2; i++)
        if (of[i]) function_hold(of[i]);
    d->entry[d->n++] = (struct derived){copy, words, f, {of ? of[0] : NULL, of ? of[1] : NULL}};
    return true;
}

void derivations_drop(struct derivations *d, const struct mem *m) {
    for (size_t i = 0; i < d->n; i++) {
        mem_free(m, d->entry[i].question, d->entry[i].words * sizeof(int64_t));
        cr_function_free(d->entry[i].function);
        cr_function_free(d->entry[i].of[0]);
        cr_function_free(d->entry[i].of[1]);
    }
    mem_free(m, d->entry, d->cap * sizeof *d->entry);
}

/* ---- In nodes ---- */

void control_hold(cr_graph *g, const struct node *n) {
    for (uint32_t i = 0; i < control_functions(g, n); i++)
        if (control_function(g, n, i)) function_hold(control_function(g, n, i));
}

void control_release(cr_graph *g, const struct node *n) {
    for (uint32_t i = 0; i < control_functions(g, n); i++) cr_function_free(control_function(g, n, i));
}

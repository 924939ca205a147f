/* Control ops for many slices at once: the same ops, on their functions for many slices. */
#include <string.h>

#include "grad/choose.h"
#include "ops/batch.h"

struct job {
    cr_graph *g;
    const struct node *n;
    int64_t slices;
    cr_node *x;
    const bool *batched;
    bool fold_keys;
    uint8_t *mask; /* by operand of the function */
};

static cr_node refuse(const struct job *j, const char *why) {
    return graph_fail(j->g, CR_EINVAL, "vmap", "%s of many slices at once: %s", op_name(j->n->op), why);
}

/* Operand k with slices, whether or not it has them. */
static void need_slices(struct job *j, uint32_t k, uint32_t input) {
    if (!j->batched[k]) j->x[k] = ops_repeat(j->x[k], j->slices);
    j->mask[input] = 1;
}

static cr_function *of_slices(const struct job *j, uint32_t i) {
    return derive_slices(j->g, control_function(j->g, j->n, i), j->slices, j->fold_keys, j->mask);
}

static cr_node batch_call(struct job *j) {
    if (control_function(j->g, j->n, 0)->callback) return refuse(j, "a callback sees one");
    for (uint32_t k = 0; k < j->n->n; k++) j->mask[k] = j->batched[k];
    cr_function *f = of_slices(j, 0);
    return f ? control_node(j->g, OP_call, 1, &f, 0, NULL, (int)j->n->n, j->x) : graph_error_node(j->g);
}

/* Where the condition differs from slice to slice, each takes from both. */
static cr_node batch_cond(struct job *j) {
    cr_function *f[2];
    for (uint32_t k = 1; k < j->n->n; k++) j->mask[k - 1] = j->batched[k];
    f[0] = of_slices(j, 0);
    f[1] = f[0] ? of_slices(j, 1) : NULL;
    if (f[1] && j->batched[0]) return choose_cond(j->g, f[0], f[1], (int)j->n->n, j->x);
    return f[1] ? control_node(j->g, OP_cond, 2, f, 0, NULL, (int)j->n->n, j->x) : graph_error_node(j->g);
}

/* The axis of the slices goes behind that of the steps. */
static cr_node steps_first(cr_node x) {
    int rank = cr_rank(x);
    return cr_ok(x) ? ops_move_axis(x, -rank, -rank + 1) : x;
}

static cr_node batch_loop(struct job *j) {
    struct loop_attr l = loop_attr(j->g, j->n);
    uint32_t first = (uint32_t)l.counted, xs = (uint32_t)l.carry, consts = xs + (uint32_t)l.xs;
    bool condition = control_function(j->g, j->n, 1) != NULL, counts = l.counted && j->batched[0];
    for (uint32_t k = 0; k + first < j->n->n; k++) {
        if (k < xs) need_slices(j, k + first, k);
        j->mask[k] = k < xs || j->batched[k + first];
        if (k >= xs && k < consts && j->batched[k + first]) j->x[k + first] = steps_first(j->x[k + first]);
    }
    cr_function *f = j->g->status ? NULL : of_slices(j, 0), *holds = condition && f ? of_slices(j, 1) : NULL;
    if (!f || (condition && !holds)) return graph_error_node(j->g);
    if (!condition && !counts) return control_loop(j->g, f, NULL, &l, (int)j->n->n, j->x);
    return choose_loop(j->g, f, holds, j->slices, &l, (int)j->n->n, j->x);
}

static cr_node batch_implicit(struct job *j) {
    need_slices(j, 0, 0);
    for (uint32_t k = 1; k < j->n->n; k++) j->mask[k] = j->batched[k];
    cr_function *f = j->g->status ? NULL : of_slices(j, 0);
    return f ? control_node(j->g, OP_implicit, 1, &f, 0, NULL, (int)j->n->n, j->x) : graph_error_node(j->g);
}

cr_node control_batch(cr_node y, int64_t slices, cr_node x[], const bool batched[], bool fold_keys) {
    struct job j = {.g = y.graph,
                    .n = graph_get(y),
                    .slices = slices,
                    .x = x,
                    .batched = batched,
                    .fold_keys = fold_keys};
    size_t inputs = control_function(j.g, j.n, 0)->n_in;
    j.mask = mem_zero(&j.g->mem, inputs + 1);
    if (!j.mask) return graph_fail(j.g, CR_ENOMEM, NULL, "out of memory");
    cr_node many = j.n->op == OP_call   ? batch_call(&j)
                   : j.n->op == OP_cond ? batch_cond(&j)
                   : j.n->op == OP_scan ? batch_loop(&j)
                                        : batch_implicit(&j);
    mem_free(&j.g->mem, j.mask, inputs + 1);
    return many;
}

/* The slices of a loop that chooses have one more carry, behind the others: how many steps each took. */
cr_node control_part_batch(cr_node y, int k, int64_t slices, cr_node many) {
    const struct node *n = graph_get(y);
    if (n->op != OP_scan || !cr_ok(many)) return cr_part(many, k);
    struct loop_attr l = loop_attr(y.graph, n), of_many = loop_attr(many.graph, graph_get(many));
    int more = (int)(of_many.carry - l.carry);
    if (k == ops_part_count(y.graph, n) - 1)
        return more ? cr_part(many, (int)l.carry) : ops_repeat(cr_part(many, k), slices);
    if (k < l.carry) return cr_part(many, k);
    cr_node part = cr_part(many, k + more); /* kept carries stand behind one more result */
    int rank = cr_rank(part);
    return cr_ok(part) ? ops_move_axis(part, -rank + 1, -rank) : part;
}

/* Many slices at once: what depends on the xs is built again with a leading axis, node by node, by the kind of its op. */
#include "grad/vmap.h"

#include "grad/control.h"
#include "ops/batch.h"
#include "tensor/dtype.h"

struct vmap {
    cr_graph *g;
    int64_t n;
    uint32_t size; /* ids from here on take no part */
    uint8_t *needed;
    uint32_t *many; /* by id: with the leading axis; 0: the same in all slices */
    bool fold_keys;
    uint32_t most; /* operands of a node */
    cr_node *x;
    bool *batched;
};

/* What the ys need, but for what xs take the place of. */
static void mark(struct vmap *v, int n_ys, const cr_node ys[]) {
    for (int j = 0; j < n_ys; j++) v->needed[ys[j].id] = 1;
    for (uint32_t id = v->size; id-- > 1;) {
        const struct node *n = graph_at(v->g, id);
        if (!v->needed[id] || v->many[id]) continue;
        if (n->n > v->most) v->most = n->n;
        for (uint32_t k = 0; k < n->n; k++) v->needed[graph_args(v->g, n)[k]] = 1;
    }
}

static bool any_batched(struct vmap *v, const struct node *n) {
    bool any = false;
    for (uint32_t k = 0; k < n->n; k++) {
        uint32_t id = graph_args(v->g, n)[k];
        v->batched[k] = v->many[id] != 0;
        v->x[k] = graph_handle(v->g, v->batched[k] ? v->many[id] : id);
        any = any || v->batched[k];
    }
    return any;
}

/* Draws differ from slice to slice: each has the index of its slice in its key. */
static void fold_index(struct vmap *v) {
    struct shape index = {.rank = cr_rank(v->x[0]) + 1, .dim = {v->n}};
    for (int i = 1; i < index.rank && i < CR_MAX_RANK; i++) index.dim[i] = 1;
    cr_node keys = ops_repeat(v->x[0], v->n);
    v->x[0] = cr_ok(keys) ? cr_fold_in(keys, ops_reshape(cr_iota(v->g, v->n), &index)) : keys;
    v->batched[0] = true;
}

static bool visit(struct vmap *v, uint32_t id) {
    const struct node *n = graph_at(v->g, id);
    bool any = any_batched(v, n);
    if (!any && v->fold_keys && n->op == OP_uniform) fold_index(v), any = cr_ok(v->x[0]);
    if (n->op == OP_part && op_kind(graph_at(v->g, n->arg[0])->op) == KIND_CONTROL) {
        cr_node of = graph_handle(v->g, n->arg[0]);
        if (any) v->many[id] = control_part_batch(of, (int)graph_attr(v->g, n)[0], v->n, v->x[0]).id;
    } else if (op_kind(n->op) == KIND_CONTROL) {
        if (any) v->many[id] = control_batch(graph_handle(v->g, id), v->n, v->x, v->batched, v->fold_keys).id;
    } else if (any) v->many[id] = ops_batch(graph_handle(v->g, id), v->n, v->x, v->batched).id;
    return v->g->status == CR_OK;
}

static void *room(struct vmap *v, size_t n, size_t size) { return mem_zero(&v->g->mem, mem_mul(n, size)); }

static bool start(struct vmap *v, int n_ys, const cr_node ys[], int n, const cr_node xs[],
                  const cr_node batched[]) {
    for (int j = 0; j < n_ys; j++)
        if (ys[j].id >= v->size) v->size = ys[j].id + 1;
    v->needed = room(v, v->size, 1);
    v->many = room(v, v->size, sizeof *v->many);
    if (!v->needed || !v->many) return false;
    for (int i = 0; i < n; i++)
        if (xs[i].id < v->size) v->many[xs[i].id] = batched[i].id;
    mark(v, n_ys, ys);
    v->x = room(v, v->most + 1, sizeof *v->x);
    v->batched = room(v, v->most + 1, sizeof *v->batched);
    return v->x && v->batched;
}

static void finish(struct vmap *v) {
    const struct mem *m = &v->g->mem;
    mem_free(m, v->needed, v->size);
    mem_free(m, v->many, v->size * sizeof *v->many);
    mem_free(m, v->x, (v->most + 1) * sizeof *v->x);
    mem_free(m, v->batched, (v->most + 1) * sizeof *v->batched);
}

cr_status vmap(cr_node out[], int64_t slices, int n_ys, const cr_node ys[], int n, const cr_node xs[],
               const cr_node batched[], bool fold_keys) {
    struct vmap v = {.g = ys[0].graph, .n = slices, .size = 1, .fold_keys = fold_keys};
    if (!start(&v, n_ys, ys, n, xs, batched)) graph_fail(v.g, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t id = 1; id < v.size && !v.g->status; id++)
        if (v.needed[id] && !v.many[id] && !visit(&v, id)) break;
    for (int j = 0; j < n_ys; j++) {
        uint32_t id = v.g->status ? 0 : v.many[ys[j].id];
        out[j] = id || v.g->status ? graph_handle(v.g, id) : ops_repeat(ys[j], slices);
    }
    finish(&v);
    return v.g->status;
}

/* ---- The public interface ---- */

static bool slice_good(cr_node x, cr_node batched, int64_t slices) {
    struct shape is = ops_shape(batched), s = ops_shape(x), wanted = ops_lead(slices, s);
    bool axis = wanted.rank <= CR_MAX_RANK && is.rank == wanted.rank;
    struct shape_text a, b;
    if (axis && shape_equal(&is, &wanted) && cr_dtype_of(x) == cr_dtype_of(batched)) return true;
    if (axis && shape_equal(&is, &wanted))
        graph_fail(x.graph, CR_EDTYPE, "vmap", "%s takes the place of %s",
                   cr_dtype_name(cr_dtype_of(batched)), cr_dtype_name(cr_dtype_of(x)));
    else
        graph_fail(
            x.graph, CR_ESHAPE, "vmap",
            "%s takes the place of %s: expected the same with one leading axis, of the same size for all",
            ops_show(&a, &is), ops_show(&b, &s));
    return false;
}

/* The same where it is fractions that literals or integers take the place of. */
static cr_node as_wanted(cr_node x, cr_node batched) {
    cr_dtype wanted = cr_dtype_of(x), is = cr_dtype_of(batched);
    bool converts = dtype_is_float(wanted) && (graph_get(batched)->weak || !dtype_is_float(is));
    return converts ? ops_to_dtype(batched, wanted) : batched;
}

static bool good(int n_ys, const cr_node ys[], int n, const cr_node xs[], const cr_node batched[]) {
    if (n < 1 || !xs || !batched)
        return graph_fail(ys[0].graph, CR_EINVAL, "vmap",
                          "nothing has slices, a count below 0, or an array that is missing"),
               false;
    for (int j = 0; j < n_ys; j++)
        if (!ops_good("vmap", 2, (cr_node[]){ys[j], xs[0]})) return false;
    for (int i = 0; i < n; i++)
        if (!ops_good("vmap", 3, (cr_node[]){ys[0], xs[i], batched[i]})) return false;
    return ys[0].graph->status == CR_OK;
}

static bool fit(cr_node many[], int n, const cr_node xs[], const cr_node batched[]) {
    if (!many) return graph_fail(xs[0].graph, CR_ENOMEM, NULL, "out of memory"), false;
    for (int i = 0; i < n; i++) {
        many[i] = as_wanted(xs[i], batched[i]);
        if (!cr_ok(many[i]) || !slice_good(xs[i], many[i], cr_rank(many[0]) ? cr_dims(many[0])[0] : 0))
            return false;
    }
    return true;
}

cr_status cr_vmap(cr_node out[], int n_ys, const cr_node ys[], int n, const cr_node xs[],
                  const cr_node batched[]) {
    if (n_ys == 0) return CR_OK;
    if (n_ys < 0 || !ys || !out) return CR_EINVAL; /* there is no graph that could be told */
    cr_graph *g = ys[0].graph;
    bool done = false;
    if (good(n_ys, ys, n, xs, batched)) {
        cr_node *many = mem_alloc(&g->mem, mem_mul((size_t)n, sizeof *many));
        done = fit(many, n, xs, batched) && !vmap(out, cr_dims(many[0])[0], n_ys, ys, n, xs, many, true);
        mem_free(&g->mem, many, (size_t)n * sizeof *many);
    }
    for (int j = 0; j < n_ys && !done; j++) out[j] = graph_error_node(g);
    return done ? CR_OK : cr_graph_status(g) ? cr_graph_status(g) : CR_EINVAL;
}

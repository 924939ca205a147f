/* Values of nodes while the graph grows: what is asked for and not yet known is copied out, planned without
 * fusion and run; all that comes of it is kept. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/copy.h"
#include "run/eval.h"
#include "run/program.h"
#include "run/store.h"
#include "tensor/dtype.h"

struct known {
    void *data; /* row-major, or NULL */
    size_t bytes;
    uint32_t epoch; /* of the node it was computed for */
    bool given;     /* by cr_eval_set */
};

struct cr_eval {
    struct mem mem;
    cr_graph *g;
    cr_store *store;
    struct cr_options options;
    struct known *known; /* by node */
    size_t cap, used;    /* nodes from `used` on have never been known, or were forgotten */
    uint32_t *map;       /* by node: 0, or while something is computed its number in the copy; */
    size_t map_cap;
    struct copy_list copied; /* which those are */
    char error[512];
};

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static cr_status
fail(cr_eval *e, cr_status status, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsnprintf(e->error, sizeof e->error, format, ap);
    va_end(ap);
    return status;
}

const char *cr_eval_error(const cr_eval *e) { return e && e->error[0] ? e->error : NULL; }

bool eval_fits(cr_eval *e, cr_node x) {
    if (graph_get(x) && (!e || x.graph == e->g)) return true;
    if (e) fail(e, CR_EINVAL, "an error node, a node that was cut, or one of another graph");
    return false;
}

cr_status cr_eval_new(cr_eval **out, cr_graph *g, cr_store *store) {
    if (out) *out = NULL;
    if (!out || !g) return CR_EINVAL;
    cr_eval *e = mem_zero(&g->mem, sizeof *e);
    if (!e) return CR_ENOMEM;
    e->mem = g->mem;
    e->g = g;
    e->store = store;
    e->options.no_fuse = true; /* every value is kept */
    *out = e;
    return CR_OK;
}

static void forget(cr_eval *e, struct known *k) {
    mem_free_aligned(&e->mem, k->data, k->bytes);
    *k = (struct known){0};
}

void cr_eval_free(cr_eval *e) {
    if (!e) return;
    struct mem m = e->mem;
    for (size_t i = 0; i < e->used; i++) forget(e, &e->known[i]);
    mem_free(&m, e->known, e->cap * sizeof *e->known);
    mem_free(&m, e->map, e->map_cap * sizeof *e->map);
    mem_free(&m, e->copied.id, e->copied.cap * sizeof *e->copied.id);
    mem_free(&m, e, sizeof *e);
}

static bool reserve(cr_eval *e) {
    while (e->cap < e->g->count) {
        size_t old = e->cap;
        if (!mem_grow(&e->mem, &e->known, &e->cap, e->cap, sizeof *e->known)) return false;
        memset(e->known + old, 0, (e->cap - old) * sizeof *e->known);
    }
    while (e->map_cap < e->g->count) {
        size_t old = e->map_cap;
        if (!mem_grow(&e->mem, &e->map, &e->map_cap, e->map_cap, sizeof *e->map)) return false;
        memset(e->map + old, 0, (e->map_cap - old) * sizeof *e->map);
    }
    for (size_t i = e->g->count; i < e->used; i++) /* what was cut */
        if (e->known[i].data) forget(e, &e->known[i]);
    e->used = e->g->count;
    return true;
}

static bool keep(cr_eval *e, uint32_t id, const void *data, size_t bytes, bool given) {
    struct known *k = &e->known[id];
    void *copy = mem_alloc_aligned(&e->mem, bytes);
    if (!copy) return false;
    if (data && bytes) memcpy(copy, data, bytes);
    forget(e, k);
    *k = (struct known){copy, bytes, graph_at(e->g, id)->epoch, given};
    return true;
}

static size_t value_bytes(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    return (size_t)graph_elements(g, n) * cr_dtype_size((cr_dtype)n->dtype);
}

static void forget_computed(cr_eval *e) {
    for (size_t i = 0; i < e->used; i++)
        if (e->known[i].data && !e->known[i].given) forget(e, &e->known[i]);
}

cr_status cr_eval_option(cr_eval *e, const char *name, const char *value) {
    if (!e || !name || !value) return CR_EINVAL;
    if (strcmp(name, "trap_nan") != 0 && strcmp(name, "flush_denormals") != 0)
        return fail(e, CR_EINVAL, "an eval object has no option '%s'", name);
    cr_status status = cr_options_set(&e->options, name, value);
    if (status) return fail(e, status, "%s: expected 0 or 1, found '%s'", name, value);
    forget_computed(e);
    return CR_OK;
}

cr_status cr_eval_set(cr_eval *e, cr_node leaf, cr_dtype dtype, const void *data, size_t bytes) {
    const struct node *n = graph_get(leaf);
    if (!e || !eval_fits(e, leaf)) return CR_EINVAL;
    if (bytes && !data) return fail(e, CR_EINVAL, "%zu bytes, and no data", bytes);
    const char *name = cr_name(leaf);
    if (n->op != OP_input && n->op != OP_param)
        return fail(e, CR_EINVAL, "only inputs and parameters are set, found %s", op_name(n->op));
    if (n->dtype != dtype)
        return fail(e, CR_EDTYPE, "'%s': expected %s, found %s", name, cr_dtype_name((cr_dtype)n->dtype),
                    cr_dtype_name(dtype));
    if (bytes != value_bytes(e->g, leaf.id))
        return fail(e, CR_ESHAPE, "'%s': expected %zu bytes, found %zu", name, value_bytes(e->g, leaf.id),
                    bytes);
    if (!reserve(e)) return fail(e, CR_ENOMEM, "out of memory");
    forget_computed(e);
    return keep(e, leaf.id, data, bytes, true) ? CR_OK : fail(e, CR_ENOMEM, "out of memory");
}

static bool is_known(void *user, uint32_t id) {
    const cr_eval *e = user;
    return e->known[id].data && e->known[id].epoch == graph_at(e->g, id)->epoch;
}

/* ---- Computing what is not known ---- */

struct job {
    cr_eval *e;
    cr_program *program;
    struct place_of_run place;
    char *work;
};

static cr_status place_leaf(struct job *j, uint32_t id, uint32_t slot) {
    const struct node *n = graph_at(j->e->g, id);
    cr_dtype dtype;
    size_t bytes;
    if (is_known(j->e, id)) {
        j->place.slot[slot] = j->e->known[id].data;
        return CR_OK;
    }
    const char *name = graph_text(j->e->g, (uint32_t)graph_attr(j->e->g, n)[0]);
    void *data = n->op == OP_param ? cr_store_data(j->e->store, name, &dtype, &bytes) : NULL;
    if (!data) return fail(j->e, CR_EUNBOUND, "%s '%s' has no value", op_name(n->op), name);
    if (dtype != (cr_dtype)n->dtype || bytes != value_bytes(j->e->g, id))
        return fail(j->e, CR_ESHAPE, "'%s': the store has another dtype or size", name);
    j->place.slot[slot] = data;
    return CR_OK;
}

static cr_status place_slots(struct job *j) {
    const struct plan *p = &j->program->plan;
    const struct copy_list *all = &j->e->copied;
    for (size_t i = 0; i < all->n; i++) {
        uint32_t id = all->id[i];
        const struct node *n = graph_at(j->e->g, id);
        if (!(is_known(j->e, id) || n->op == OP_input || n->op == OP_param)) continue;
        cr_status status = place_leaf(j, id, p->view[j->e->map[id]].slot);
        if (status) return status;
    }
    return CR_OK;
}

static cr_status keep_values(struct job *j) {
    const struct copy_list *all = &j->e->copied;
    for (size_t i = 0; i < all->n; i++) {
        uint32_t id = all->id[i];
        const struct node *n = graph_at(j->e->g, id);
        if (is_known(j->e, id) || n->op == OP_input || n->op == OP_param || ops_has_parts(n->op)) continue;
        struct tensor y = program_tensor(j->program, j->e->map[id], j->place.slot);
        if (!keep(j->e, id, NULL, value_bytes(j->e->g, id), false))
            return fail(j->e, CR_ENOMEM, "out of memory");
        copy_strided(j->e->known[id].data, y.data, cr_dtype_size(y.dtype), y.rank, y.dim, y.stride);
    }
    return CR_OK;
}

/* In the user's graph, where what was known before has its names. */
static void told(cr_eval *e, const struct job *j) {
    size_t i = e->copied.n;
    while (--i > 0 && e->map[e->copied.id[i]] != j->place.bad_node) {}
    failure_text(e->error, sizeof e->error, e->g, e->copied.id[i], &j->place.failure);
}

static cr_status run_job(struct job *j) {
    const cr_program *p = j->program;
    size_t bytes = cr_program_workspace(p);
    j->work = mem_alloc_aligned(&j->e->mem, bytes);
    cr_status status = CR_ENOMEM;
    if (frame_make(&j->place, p, j->work)) {
        status = place_slots(j);
        if (!status && (status = program_run(p, &j->place, false))) told(j->e, j);
        if (!status) status = keep_values(j);
    }
    mem_free_aligned(&j->e->mem, j->work, bytes);
    frame_drop(&j->place, p);
    return status;
}

static cr_status compute(cr_eval *e, size_t n, const uint32_t ids[]) {
    struct job j = {.e = e};
    struct copy_wish copy = {.n = n, .root = ids, .known = is_known, .user = e};
    cr_graph *g = graph_copy_few(e->g, &copy, e->map, &e->copied);
    cr_status status = CR_ENOMEM;
    struct port *out = g ? mem_alloc(&e->mem, mem_mul(n, sizeof *out)) : NULL;
    for (size_t i = 0; out && i < n; i++) out[i] = (struct port){.node = e->map[ids[i]]};
    struct program_wish wish = {.g = g, .outputs = n, .output = out, .keep = true, .options = &e->options};
    if (out) status = program_make(&j.program, &wish);
    else cr_graph_free(g);
    mem_free(&e->mem, out, n * sizeof *out);
    if (!status) status = run_job(&j);
    else fail(e, status, "%s", cr_status_text(status));
    cr_program_free(j.program);
    for (size_t i = 0; i < e->copied.n; i++) e->map[e->copied.id[i]] = 0;
    return status;
}

cr_status eval_compute(cr_eval *e, size_t n, const cr_node x[]) {
    cr_status status = CR_OK;
    if (!reserve(e)) return fail(e, CR_ENOMEM, "out of memory");
    uint32_t *ids = mem_alloc(&e->mem, mem_mul(n, sizeof *ids));
    size_t wanted = 0;
    if (!ids) return fail(e, CR_ENOMEM, "out of memory");
    for (size_t i = 0; i < n && !status; i++) {
        if (!eval_fits(e, x[i])) status = CR_EINVAL;
        else if (!is_known(e, x[i].id)) ids[wanted++] = x[i].id;
    }
    if (!status && wanted) status = compute(e, wanted, ids);
    mem_free(&e->mem, ids, n * sizeof *ids);
    if (!status) e->error[0] = 0;
    return status;
}

cr_status cr_eval_all(cr_eval *e, int n, const cr_node x[]) {
    return e && n >= 0 && (x || !n) ? eval_compute(e, (size_t)n, x) : CR_EINVAL;
}

const void *eval_data(const cr_eval *e, cr_node x) {
    const struct node *n = graph_get(x);
    if (x.id < e->cap && e->known[x.id].data) return e->known[x.id].data;
    if (!n || n->op != OP_param) return NULL;
    return cr_store_data(e->store, graph_text(e->g, (uint32_t)graph_attr(e->g, n)[0]), NULL, NULL);
}

cr_status cr_eval_value(cr_eval *e, cr_node x, cr_dtype dtype, void *data, size_t bytes) {
    if (!e || (bytes && !data)) return CR_EINVAL;
    cr_status status = eval_compute(e, 1, &x);
    if (status) return status;
    if (cr_dtype_of(x) != dtype)
        return fail(e, CR_EDTYPE, "expected %s, found %s", cr_dtype_name(cr_dtype_of(x)),
                    cr_dtype_name(dtype));
    if (bytes != value_bytes(e->g, x.id))
        return fail(e, CR_ESHAPE, "expected %zu bytes, found %zu", value_bytes(e->g, x.id), bytes);
    if (bytes) memcpy(data, eval_data(e, x), bytes);
    return CR_OK;
}

cr_status cr_eval_array(cr_array **out, cr_eval *e, cr_node x) {
    if (out) *out = NULL;
    if (!out || !e) return CR_EINVAL;
    cr_status status = eval_compute(e, 1, &x);
    if (!status) status = cr_array_new(out, e->g->ctx, cr_dtype_of(x), cr_rank(x), cr_dims(x));
    if (!status && cr_array_bytes(*out)) memcpy(cr_array_data(*out), eval_data(e, x), cr_array_bytes(*out));
    return status;
}

double cr_eval_number(cr_eval *e, cr_node x) {
    if (!e || !eval_fits(e, x)) return NAN;
    struct shape s = ops_shape(x);
    struct shape_text t;
    if (cr_count(x) != 1)
        return fail(e, CR_ESHAPE, "expected a node of one number, found %s", ops_show(&t, &s)), NAN;
    if (eval_compute(e, 1, &x)) return NAN;
    return dtype_get(cr_dtype_of(x), eval_data(e, x), 0);
}

/* Functions in the oracle: each step node by node, every value in memory of its own. */
#include "device/reference/control.h"

#include <string.h>

#include "device/callback.h"
#include "ops/control.h"
#include "tensor/dtype.h"

static cr_dtype wide(const struct node *n) {
    return dtype_is_float((cr_dtype)n->dtype) ? CR_F64 : (cr_dtype)n->dtype;
}

static size_t wide_bytes(const cr_function *f, uint32_t id) {
    const struct node *n = graph_at(f->g, id);
    return (size_t)graph_elements(f->g, n) * cr_dtype_size(wide(n));
}

static cr_status failed(struct reference *r, const struct reference *inner, const cr_function *f,
                        cr_status status) {
    r->infinite = inner->infinite;
    r->bad = inner->bad, r->limit = inner->limit;
    r->inside = inner->inside ? inner->inside : f->g;
    r->inside_node = inner->inside ? inner->inside_node : inner->bad_node;
    return status;
}

/* Operands and results are as wide as the oracle's; a result that is NULL is not wanted. */
static cr_status run_graph(struct reference *r, const cr_function *f, const void *const in[],
                           void *const out[]) {
    size_t count = f->g->count;
    const void **leaf = mem_zero(&r->g->mem, mem_mul(count, sizeof *leaf));
    struct reference inner = {.g = f->g,
                              .leaf = leaf,
                              .wide_leaves = true,
                              .seed = r->seed,
                              .step = r->step,
                              .trap_nan = r->trap_nan};
    if (!leaf) return CR_ENOMEM;
    for (uint32_t k = 0; k < f->n_in; k++) leaf[f->in[k]] = in[k];
    cr_status status = reference_run(&inner);
    for (uint32_t k = 0; k < f->n_out && !status; k++)
        if (out[k] && wide_bytes(f, f->out[k]))
            memcpy(out[k], inner.value[f->out[k]].data, wide_bytes(f, f->out[k]));
    if (status) failed(r, &inner, f, status);
    reference_free(&inner);
    mem_free(&r->g->mem, leaf, count * sizeof *leaf);
    return status;
}

/* ---- Callbacks: in their own dtypes ---- */

static cr_tensor own_tensor(const struct reference *r, const cr_function *f, uint32_t id,
                            const void *wide_data) {
    const struct node *n = graph_at(f->g, id);
    int64_t count = graph_elements(f->g, n);
    void *data = mem_zero(&r->g->mem, (size_t)count * 8);
    if (data && wide_data) dtype_convert((cr_dtype)n->dtype, data, 1, wide(n), wide_data, 1, count);
    return callback_tensor(f, id, data);
}

static cr_status run_callback(struct reference *r, const cr_function *f, const void *const in[],
                              void *const out[]) {
    uint32_t all = f->n_in + f->n_out;
    cr_tensor *t = mem_zero(&r->g->mem, mem_mul(all, sizeof *t));
    cr_status status = t ? CR_OK : CR_ENOMEM;
    for (uint32_t k = 0; k < all && !status; k++) {
        uint32_t id = k < f->n_in ? f->in[k] : f->out[k - f->n_in];
        t[k] = own_tensor(r, f, id, k < f->n_in ? in[k] : NULL);
        if (!t[k].data) status = CR_ENOMEM;
    }
    if (!status) status = f->callback(f->user, (int)f->n_in, t, (int)f->n_out, t + f->n_in);
    for (uint32_t k = 0; t && k < all; k++) {
        const struct node *n = graph_at(f->g, k < f->n_in ? f->in[k] : f->out[k - f->n_in]);
        int64_t count = graph_elements(f->g, n);
        if (!status && k >= f->n_in && out[k - f->n_in])
            dtype_convert(wide(n), out[k - f->n_in], 1, (cr_dtype)n->dtype, t[k].data, 1, count);
        if (t[k].data) mem_free(&r->g->mem, t[k].data, (size_t)count * 8);
    }
    mem_free(&r->g->mem, t, all * sizeof *t);
    return status;
}

static cr_status run_function(struct reference *r, const cr_function *f, const void *const in[],
                              void *const out[]) {
    return f->callback ? run_callback(r, f, in, out) : run_graph(r, f, in, out);
}

/* ---- The ops ---- */

/* A control node at work. */
struct job {
    struct reference *r;
    uint32_t id;
    const struct node *n;
    const cr_function *f;
    const void **in;
    void **out;
    char *now, *next; /* carries, each with room for all of them one behind the other */
    size_t carries;
};

static const struct tensor *operand(const struct job *j, uint32_t k) {
    return &j->r->value[graph_args(j->r->g, j->n)[k]];
}

static char *part(const struct job *j, int k) {
    return (char *)j->r->value[j->id].data + ops_part_offset(j->r->g, j->n, k, 8);
}

static cr_status run_once(struct job *j, const cr_function *f, uint32_t first) {
    for (uint32_t k = 0; k < f->n_in; k++) j->in[k] = operand(j, first + k)->data;
    for (uint32_t k = 0; k < f->n_out; k++) j->out[k] = part(j, (int)k);
    return run_function(j->r, f, j->in, j->out);
}

/* One step: keeps the carry, runs, and moves the carry on. */
static cr_status one_trip(struct job *j, const struct loop_attr *l, int64_t row) {
    const cr_function *f = j->f;
    char *next = j->next;
    for (uint32_t k = 0; k < f->n_in; k++) {
        size_t bytes = wide_bytes(f, f->in[k]);
        if (k >= l->carry && k < l->carry + l->xs)
            j->in[k] = (const char *)operand(j, k + (uint32_t)l->counted)->data + (size_t)row * bytes;
        if (k < l->carry && l->n >= 0 && bytes)
            memcpy(part(j, loop_kept(f) + (int)k) + (size_t)row * bytes, j->in[k], bytes);
    }
    for (uint32_t k = 0; k < f->n_out; k++) {
        size_t bytes = wide_bytes(f, f->out[k]);
        j->out[k] = k < l->carry ? next : part(j, (int)k) + (size_t)row * bytes;
        if (k < l->carry) next += bytes;
    }
    cr_status status = run_function(j->r, f, j->in, j->out);
    if (status) return status;
    memcpy(j->now, j->next, j->carries);
    return CR_OK;
}

static cr_status holds(struct job *j, bool *yes) {
    const cr_function *condition = control_function(j->r->g, j->n, 1);
    void *out[1] = {yes};
    *yes = true;
    return condition ? run_function(j->r, condition, j->in, out) : CR_OK;
}

static cr_status run_trips(struct job *j, const struct loop_attr *l, int64_t *done) {
    int64_t limit = l->counted ? *(const int64_t *)operand(j, 0)->data : l->n;
    bool conditional = control_function(j->r->g, j->n, 1) != NULL, yes = true;
    if (l->counted && (limit < 0 || limit > l->n)) return j->r->bad = limit, j->r->limit = l->n, CR_EINDEX;
    for (*done = 0; conditional || *done < limit; ++*done) {
        j->r->trip = *done;
        cr_status status = holds(j, &yes);
        if (status || !yes) return status;
        if (limit >= 0 && *done == limit) return j->r->limit = limit, CR_ELIMIT;
        if ((status = one_trip(j, l, l->reverse ? limit - 1 - *done : *done))) return status;
    }
    return CR_OK;
}

static cr_status run_loop(struct job *j) {
    struct loop_attr l = loop_attr(j->r->g, j->n);
    int64_t done = 0;
    char *at = j->now;
    for (uint32_t k = 0; k < j->f->n_in; k++) {
        size_t bytes = wide_bytes(j->f, j->f->in[k]);
        const void *x = operand(j, k + (uint32_t)l.counted)->data;
        j->in[k] = k < l.carry ? at : x;
        if (k < l.carry && bytes) memcpy(at, x, bytes);
        if (k < l.carry) at += bytes;
    }
    cr_status status = run_trips(j, &l, &done);
    for (uint32_t k = 0; k < l.carry && !status; k++)
        if (wide_bytes(j->f, j->f->in[k])) memcpy(part(j, (int)k), j->in[k], wide_bytes(j->f, j->f->in[k]));
    if (!status) *(int64_t *)(void *)part(j, ops_part_count(j->r->g, j->n) - 1) = done;
    return status;
}

static cr_status run_job(struct job *j) {
    switch (j->n->op) {
    case OP_call: return run_once(j, j->f, 0);
    case OP_cond:
        return run_once(j, *(const bool *)operand(j, 0)->data ? j->f : control_function(j->r->g, j->n, 1), 1);
    case OP_scan: return run_loop(j);
    default: break;
    }
    if (wide_bytes(j->f, j->f->in[0])) memcpy(part(j, 0), operand(j, 0)->data, wide_bytes(j->f, j->f->in[0]));
    return CR_OK;
}

cr_status reference_control(struct reference *r, uint32_t id) {
    const struct node *n = graph_at(r->g, id);
    struct job j = {.r = r, .id = id, .n = n, .f = control_function(r->g, n, 0)};
    const struct mem *m = &r->g->mem;
    if (n->op == OP_scan)
        for (uint32_t k = 0; k < (uint32_t)loop_attr(r->g, n).carry; k++)
            j.carries += wide_bytes(j.f, j.f->in[k]);
    j.in = mem_zero(m, mem_mul(j.f->n_in, sizeof *j.in));
    j.out = mem_zero(m, mem_mul(j.f->n_out, sizeof *j.out));
    j.now = mem_zero(m, j.carries + 1);
    j.next = mem_zero(m, j.carries + 1);
    r->trip = -1;
    cr_status status = j.in && j.out && j.now && j.next ? run_job(&j) : CR_ENOMEM;
    mem_free(m, j.in, j.f->n_in * sizeof *j.in);
    mem_free(m, j.out, j.f->n_out * sizeof *j.out);
    mem_free(m, j.now, j.carries + 1);
    mem_free(m, j.next, j.carries + 1);
    return status;
}

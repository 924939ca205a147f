/* A run: a program, a store, bindings, a workspace. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mode.h"
#include "device/finite.h"
#include "device/reference/reference.h"
#include "run/run.h"
#include "tensor/dtype.h"

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static cr_status
fail(cr_run *r, cr_status status, const char *format, ...) {
    va_list ap;
    r->straight = false;
    r->told = true;
    va_start(ap, format);
    vsnprintf(r->error, sizeof r->error, format, ap);
    va_end(ap);
    return status;
}

void run_look_again(cr_run *r) {
    r->moved = true;
    r->straight = false;
}
int64_t run_bad_index(const cr_run *r) { return r->place.failure.bad; }
const char *cr_run_error(const cr_run *r) { return r && r->told ? r->error : NULL; }

static const char *text(const cr_run *r, uint32_t t) { return graph_text(r->p->g, t); }

/* ---- Life ---- */

static void drop_binding(cr_run *r, struct binding *b) {
    if (b->copied) mem_free_aligned(&r->mem, b->data, b->copied);
    *b = (struct binding){0};
}

void cr_run_free(cr_run *r) {
    if (!r) return;
    struct mem m = r->mem;
    for (size_t i = 0; r->leaf && i < r->p->leaves; i++) drop_binding(r, &r->leaf[i]);
    mem_free_aligned(&m, r->workspace, r->workspace_bytes);
    mem_free(&m, r->leaf, r->p->leaves * sizeof *r->leaf);
    mem_free(&m, r->output, r->p->outputs * sizeof *r->output);
    mem_free(&m, r->piece, (r->p->leaves + r->p->outputs) * sizeof *r->piece);
    frame_drop(&r->place, r->p);
    mem_free(&m, r->active, r->p->plan.steps);
    mem_free(&m, r->wanted, r->p->plan.slots);
    mem_free_aligned(&m, r, sizeof *r);
}

static bool allocate(cr_run *r, void *workspace, size_t bytes) {
    const cr_program *p = r->p;
    r->leaf = mem_zero(&r->mem, mem_mul(p->leaves, sizeof *r->leaf));
    r->output = mem_zero(&r->mem, mem_mul(p->outputs, sizeof *r->output));
    r->piece = mem_alloc(&r->mem, mem_mul(p->leaves + p->outputs, sizeof *r->piece));
    r->active = mem_zero(&r->mem, p->plan.steps);
    r->wanted = mem_zero(&r->mem, p->plan.slots);
    if (!workspace) {
        r->workspace_bytes = bytes = cr_program_workspace(p);
        workspace = r->workspace = mem_alloc_aligned(&r->mem, bytes);
    }
    return frame_make(&r->place, p, workspace) && r->leaf && r->output && r->piece && r->active && r->wanted;
}

static char *work_place(const cr_run *r, uint32_t slot) { return frame_work_place(&r->place, r->p, slot); }

cr_status cr_run_new(cr_run **out, const cr_program *p, cr_store *store, void *workspace, size_t bytes) {
    if (out) *out = NULL;
    if (!out || !p) return CR_EINVAL;
    if (workspace && (bytes < cr_program_workspace(p) || (uintptr_t)workspace % 64)) return CR_ELIMIT;
    struct mem m = p->mem;
    cr_run *r = mem_alloc_aligned(&m, sizeof *r);
    if (!r) return CR_ENOMEM;
    memset(r, 0, sizeof *r);
    r->mem = m;
    r->p = p;
    r->store = store;
    r->changed = true;
    if (!allocate(r, workspace, bytes)) return cr_run_free(r), CR_ENOMEM;
    *out = r;
    return CR_OK;
}

cr_status cr_run_seed(cr_run *r, int64_t seed) {
    if (!r) return CR_EINVAL;
    r->place.seed = seed;
    return CR_OK;
}

cr_status cr_run_set_step(cr_run *r, int64_t step) {
    if (!r) return CR_EINVAL;
    r->place.step = step;
    return CR_OK;
}

/* ---- Binding ---- */

static cr_status check_port(cr_run *r, const char *name, uint32_t node, cr_dtype dtype, int64_t count,
                            size_t bytes) {
    const struct node *n = graph_at(r->p->g, node);
    if (n->dtype != dtype)
        return fail(r, CR_EDTYPE, "'%s': expected %s, found %s", name, cr_dtype_name((cr_dtype)n->dtype),
                    cr_dtype_name(dtype));
    int64_t expected = graph_elements(r->p->g, n);
    if (count >= 0 ? count == expected : bytes == (size_t)expected * cr_dtype_size(dtype)) return CR_OK;
    struct shape s = graph_shape(r->p->g, n);
    struct shape_text t;
    return fail(r, CR_ESHAPE, "'%s': expected shape %s of %s, %lld bytes, found %lld", name, ops_show(&t, &s),
                cr_dtype_name(dtype), (long long)((size_t)expected * cr_dtype_size(dtype)),
                (long long)(count >= 0 ? (size_t)count * cr_dtype_size(dtype) : bytes));
}

/* The binding of a name, or NULL with an error. */
static struct binding *find_binding(cr_run *r, const char *name, uint32_t *node, bool *is_output) {
    const cr_program *p = r->p;
    const struct port *port = program_port(p, name);
    *is_output = port >= p->output && port < p->output + p->outputs;
    if (port && (*is_output || graph_at(p->g, port->node)->op != OP_param)) {
        *node = port->node;
        return *is_output ? &r->output[port - p->output] : &r->leaf[port - p->leaf];
    }
    r->status = fail(r, CR_ENAME, "the program has no input or output called '%s'", name);
    return NULL;
}

/* An input that moves to where an output is written has that output copied from now on. */
static bool over_output(const cr_run *r, uint32_t input) {
    uintptr_t from = (uintptr_t)r->place.slot[r->p->plan.view[input].slot];
    size_t compared = 0;
    return overlap_meets(r->piece, r->directs, from, from + plan_node_bytes(r->p->g, input), &compared);
}

static void place_binding(cr_run *r, const struct binding *b, uint32_t node, bool is_output) {
    r->moved = true;
    r->straight = false;
    if (!is_output) r->place.slot[r->p->plan.view[node].slot] = b->data;
    r->changed = r->changed || is_output || over_output(r, node);
}

static const int64_t empty[1];

/* Kernels read and write whole numbers, which the machine may not do elsewhere. */
static cr_status check_aligned(cr_run *r, const char *name, const void *data, size_t size) {
    if ((uintptr_t)data % size == 0) return CR_OK;
    return fail(r, CR_EINVAL, "'%s': expected memory aligned to %zu bytes", name, size);
}

static cr_status bind(cr_run *r, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    uint32_t node;
    bool is_output;
    struct binding *b = find_binding(r, name, &node, &is_output);
    if (!b) return r->status;
    bool nothing = !data && !is_output && bytes == 0 && plan_node_bytes(r->p->g, node) == 0;
    if (nothing) data = (void *)(uintptr_t)empty; /* of size 0: never read */
    if (!data && !is_output) return fail(r, CR_EUNBOUND, "'%s': an input needs data", name);
    cr_status status = data ? check_port(r, name, node, dtype, -1, bytes) : CR_OK;
    if (!status && data) status = check_aligned(r, name, data, cr_dtype_size(dtype));
    if (status) return status;
    drop_binding(r, b);
    b->data = data;
    place_binding(r, b, node, is_output);
    return CR_OK;
}

cr_status cr_bind(cr_run *r, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    if (!r || !name) return CR_EINVAL;
    r->status = bind(r, name, dtype, data, bytes);
    if (!r->status) r->told = false;
    return r->status;
}

static int tensor_dtype(const cr_tensor *t) {
    if (t->dtype.lanes != 1) return -1;
    switch (t->dtype.code) {
    case 0: return t->dtype.bits == 32 ? CR_I32 : t->dtype.bits == 64 ? CR_I64 : -1;
    case 2:
        return t->dtype.bits == 16   ? CR_F16
               : t->dtype.bits == 32 ? CR_F32
               : t->dtype.bits == 64 ? CR_F64
                                     : -1;
    case 4: return t->dtype.bits == 16 ? CR_BF16 : -1;
    case 6: return t->dtype.bits == 8 ? CR_BOOL : -1;
    default: return -1;
    }
}

static bool shape_matches(const cr_run *r, uint32_t node, const cr_tensor *t) {
    const struct node *n = graph_at(r->p->g, node);
    if (t->ndim != graph_rank(r->p->g, n) || (t->ndim && !t->shape)) return false;
    for (int i = 0; i < t->ndim; i++)
        if (t->shape[i] != graph_dims(r->p->g, n)[i]) return false;
    return true;
}

static bool row_major(const cr_tensor *t) {
    int64_t n = 1;
    for (int i = t->ndim - 1; t->strides && i >= 0; i--) {
        if (t->shape[i] != 1 && t->strides[i] != n) return false;
        n *= t->shape[i];
    }
    return true;
}

/* A strided input is gathered into a copy of ours at every step; a strided output is spread into. */
static cr_status bind_strided(cr_run *r, struct binding *b, uint32_t node, bool is_output,
                              const cr_tensor *t) {
    size_t bytes = plan_node_bytes(r->p->g, node);
    void *copy = is_output ? NULL : mem_alloc_aligned(&r->mem, bytes + 1);
    if (!is_output && !copy) return fail(r, CR_ENOMEM, "out of memory");
    drop_binding(r, b);
    b->view = *t;
    for (int i = 0; i < t->ndim; i++) b->dim[i] = t->shape[i], b->stride[i] = t->strides[i];
    b->data = is_output ? (char *)t->data + t->byte_offset : copy;
    b->copied = is_output ? 0 : bytes + 1;
    place_binding(r, b, node, is_output);
    return CR_OK;
}

/* Elements of a result that share memory would overwrite each other. */
static bool repeats(const cr_tensor *t) {
    for (int i = 0; t->strides && i < t->ndim; i++)
        if (t->strides[i] == 0 && t->shape[i] > 1) return true;
    return false;
}

static cr_status check_view(cr_run *r, const char *name, uint32_t node, bool is_output, const cr_tensor *t) {
    const struct node *n = graph_at(r->p->g, node);
    struct shape expected = graph_shape(r->p->g, n), found = {0};
    struct shape_text a, b;
    int dtype = tensor_dtype(t);
    if (t->device.type != 1)
        return fail(r, CR_EINVAL, "'%s': expected host memory (DLPack's device type 1), found device type %d",
                    name, (int)t->device.type);
    if (dtype < 0)
        return fail(r, CR_EDTYPE, "'%s': expected %s, found DLPack's type code %d of %d bits and %d lanes",
                    name, cr_dtype_name((cr_dtype)n->dtype), t->dtype.code, t->dtype.bits, t->dtype.lanes);
    if (t->ndim < 0 || t->ndim > CR_MAX_RANK || (t->ndim && !t->shape))
        return fail(r, CR_ESHAPE, "'%s': expected shape %s, found rank %d", name, ops_show(&a, &expected),
                    (int)t->ndim);
    if (!shape_matches(r, node, t)) {
        found = shape_of(t->ndim, t->shape);
        return fail(r, CR_ESHAPE, "'%s': expected shape %s, found %s", name, ops_show(&a, &expected),
                    ops_show(&b, &found));
    }
    cr_status status = check_port(r, name, node, (cr_dtype)dtype, graph_elements(r->p->g, n), 0);
    if (!status && is_output && repeats(t))
        return fail(r, CR_EINVAL, "'%s': the elements of an output must not share memory (a stride is 0)",
                    name);
    return status ? status
                  : check_aligned(r, name, (char *)t->data + t->byte_offset, cr_dtype_size((cr_dtype)dtype));
}

cr_status cr_bind_tensor(cr_run *r, const char *name, const cr_tensor *view) {
    uint32_t node;
    bool is_output;
    if (!r || !name || !view) return CR_EINVAL;
    struct binding *b = find_binding(r, name, &node, &is_output);
    if (!b) return r->status;
    if (!view->data && is_output) return cr_bind(r, name, CR_F64, NULL, 0);
    r->status = check_view(r, name, node, is_output, view);
    if (r->status) return r->status;
    size_t bytes = plan_node_bytes(r->p->g, node);
    cr_dtype dtype = (cr_dtype)tensor_dtype(view);
    if (!view->data || bytes == 0 || row_major(view))
        return cr_bind(r, name, dtype, view->data ? (char *)view->data + view->byte_offset : NULL,
                       view->data ? bytes : 0);
    r->status = bind_strided(r, b, node, is_output, view);
    if (!r->status) r->told = false;
    return r->status;
}

/* ---- Before the first step, and whenever what is bound has changed ---- */

static cr_status find_params(cr_run *r) {
    for (size_t i = 0; i < r->p->leaves; i++) {
        const struct port *port = &r->p->leaf[i];
        const char *name = text(r, port->text);
        cr_dtype dtype;
        size_t bytes;
        if (graph_at(r->p->g, port->node)->op != OP_param) {
            if (!r->leaf[i].data) return fail(r, CR_EUNBOUND, "input '%s' is not bound", name);
            continue;
        }
        void *data = cr_store_data(r->store, name, &dtype, &bytes);
        if (!data) return fail(r, CR_EUNBOUND, "parameter '%s' has no value in the store", name);
        cr_status status = check_port(r, name, port->node, dtype, -1, bytes);
        if (status) return status;
        r->place.slot[r->p->plan.view[port->node].slot] = data;
    }
    return CR_OK;
}

static bool is_wanted(const cr_run *r, const struct step *s) {
    const struct plan *p = &r->p->plan;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t slot = p->view[p->node[s->first + i]].slot;
        if (slot != no_slot && r->wanted[slot]) return true;
    }
    return false;
}

/* The first step of a group stands for all: it runs if any is wanted. */
static void find_active_groups(cr_run *r) {
    const struct plan *p = &r->p->plan;
    for (size_t i = 0; i < p->groups; i++) {
        uint8_t any = 0;
        for (size_t s = p->group[i].first; s < p->group[i].first + p->group[i].n; s++) any |= r->active[s];
        for (size_t s = p->group[i].first; s < p->group[i].first + p->group[i].n; s++)
            r->active[s] |= any & STEP_RUNS;
    }
}

/* From the last step back: one is active if it writes what an output that is bound, an update or an active
 * step reads. */
static void find_active(cr_run *r) {
    const struct plan *p = &r->p->plan;
    memset(r->wanted, 0, p->slots);
    for (size_t i = 0; i < r->p->outputs; i++)
        if (r->output[i].data) r->wanted[p->view[r->p->output[i].node].slot] = 1;
    for (size_t i = 0; i < p->updates; i++) r->wanted[p->view[p->update[i].value].slot] = 1;
    for (size_t s = p->steps; s-- > 0;) {
        const struct step *step = &p->step[s];
        r->active[s] = is_wanted(r, step) ? STEP_RUNS | STEP_WANTED : 0;
        for (uint32_t i = 0; i < step->n && r->active[s]; i++) {
            const struct node *n = graph_at(p->g, p->node[step->first + i]);
            for (uint32_t k = 0; k < n->n; k++) {
                uint32_t slot = p->view[graph_args(p->g, n)[k]].slot;
                if (slot != no_slot) r->wanted[slot] = 1;
            }
        }
    }
    find_active_groups(r);
    r->place.active = r->active;
}

static void add_piece(cr_run *r, size_t *n, const void *data, uint32_t node, bool *shared) {
    size_t bytes = plan_node_bytes(r->p->g, node);
    if (bytes) r->piece[(*n)++] = (struct piece){(uintptr_t)data, (uintptr_t)data + bytes, shared};
}

/* Where an output with strides reaches is not looked into: it may share with all others. */
static void find_shared(cr_run *r) {
    const cr_program *p = r->p;
    size_t n = 0;
    bool strided = false;
    for (size_t i = 0; i < p->leaves; i++)
        add_piece(r, &n, r->place.slot[p->plan.view[p->leaf[i].node].slot], p->leaf[i].node, NULL);
    for (size_t i = 0; i < p->outputs; i++) {
        struct binding *b = &r->output[i];
        b->shared = false;
        if (b->data) add_piece(r, &n, b->data, p->output[i].node, &b->shared);
        strided = strided || (b->data && b->view.data);
    }
    overlap_tell(r->piece, n);
    for (size_t i = 0; i < p->outputs && strided; i++) r->output[i].shared = true;
}

/* An output that is all of a slot in the workspace is made where it is wanted. The others are copied there. */
static void place_outputs(cr_run *r) {
    const struct plan *p = &r->p->plan;
    find_shared(r);
    for (size_t i = 0; i < r->p->outputs; i++) {
        uint32_t slot = p->view[r->p->output[i].node].slot;
        if (p->slot[slot].kind == SLOT_WORK) r->place.slot[slot] = work_place(r, slot);
    }
    for (size_t i = 0; i < r->p->outputs; i++) {
        struct binding *b = &r->output[i];
        uint32_t node = r->p->output[i].node, slot = p->view[node].slot;
        b->direct = b->data && !b->view.data && !r->p->reference && p->slot[slot].kind == SLOT_WORK &&
                    p->slot[slot].bytes == plan_node_bytes(p->g, node) && plan_contiguous(p, node) &&
                    r->place.slot[slot] == work_place(r, slot) && !b->shared;
        if (b->direct) r->place.slot[slot] = b->data;
    }
    r->directs = 0;
    for (size_t i = 0; i < r->p->outputs; i++)
        if (r->output[i].direct) add_piece(r, &r->directs, r->output[i].data, r->p->output[i].node, NULL);
    overlap_tell(r->piece, r->directs);
}

static void gather_inputs(cr_run *r) {
    for (size_t i = 0; i < r->p->leaves; i++) {
        struct binding *b = &r->leaf[i];
        if (b->copied)
            copy_strided(b->data, (const char *)b->view.data + b->view.byte_offset,
                         b->view.dtype.bits > 8 ? b->view.dtype.bits / 8u : 1, b->view.ndim, b->dim,
                         b->stride);
    }
}

/* ---- A step ---- */

/* The numbers of a node after the steps. */
static struct tensor result_of(cr_run *r, struct reference *ref, uint32_t node) {
    return ref ? reference_result(ref, node) : program_tensor(r->p, node, r->place.slot);
}

static void copy_out(cr_run *r, struct reference *ref) {
    for (size_t i = 0; i < r->p->outputs; i++) {
        struct binding *b = &r->output[i];
        if (!b->data || b->direct) continue;
        struct tensor y = result_of(r, ref, r->p->output[i].node);
        size_t size = cr_dtype_size(y.dtype);
        if (b->view.data) copy_both(b->data, b->stride, y.data, y.stride, size, y.rank, y.dim);
        else copy_strided(b->data, y.data, size, y.rank, y.dim, y.stride);
    }
}

static void update(cr_run *r, struct reference *ref) {
    const struct plan *p = &r->p->plan;
    for (size_t i = 0; i < p->updates; i++) {
        if (p->update[i].in_place && !ref) continue;
        struct tensor from = result_of(r, ref, p->update[i].value);
        copy_strided(r->place.slot[p->view[p->update[i].param].slot], from.data, cr_dtype_size(from.dtype),
                     from.rank, from.dim, from.stride);
    }
}

cr_status run_failed(cr_run *r, cr_status status) {
    r->straight = false;
    if (status == CR_ENOMEM) return fail(r, status, "%s", cr_status_text(status));
    r->told = true;
    failure_text(r->error, sizeof r->error, r->p->g, r->place.bad_node, &r->place.failure);
    return status;
}

static cr_status prepare(cr_run *r) {
    cr_status status = find_params(r);
    if (status) return status;
    find_active(r);
    place_outputs(r);
    r->changed = false;
    r->moved = true;
    return CR_OK;
}

/* An output, not the copy of it that a step makes (output_value). */
static uint32_t shown_by(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    return n->op == OP_cast && graph_at(g, n->arg[0])->dtype == n->dtype ? n->arg[0] : id;
}

/* The outputs that are bound, before the first update. */
static cr_status check_finite(cr_run *r, struct reference *ref) {
    for (size_t i = 0; i < r->p->outputs && r->p->finite; i++) {
        if (!r->output[i].data) continue;
        struct tensor y = result_of(r, ref, r->p->output[i].node);
        struct unfinite found = tensor_unfinite(&y, y.dtype);
        if (!found.nan && !found.inf) continue;
        r->place.bad_node = shown_by(r->p->g, r->p->output[i].node);
        r->place.failure = (struct failure){.status = CR_ENAN, .output = true};
        return CR_ENAN;
    }
    return CR_OK;
}

/* What the active steps compute, and leaves and views of them, which belong to no step. What was joined where it stands is of no step
 * any more, so what it is made of may be of none that is active: an operand without elements. */
static void find_needed(const cr_run *r, uint8_t *needed) {
    const cr_graph *g = r->p->g;
    for (uint32_t id = g->count; id-- > 1;) {
        uint32_t step = r->p->plan.step_of[id];
        const struct node *n = graph_at(g, id);
        needed[id] |= step == no_slot || r->active[step];
        for (uint32_t k = 0; k < n->n && needed[id] && step != no_slot; k++) needed[graph_args(g, n)[k]] = 1;
    }
}

static cr_status compute_reference(cr_run *r, const void **leaf, uint8_t *needed) {
    struct reference ref = {.g = r->p->g,
                            .leaf = leaf,
                            .seed = r->place.seed,
                            .step = r->place.step,
                            .trap_nan = r->p->trap_nan,
                            .needed = needed};
    for (size_t i = 0; i < r->p->leaves; i++)
        leaf[r->p->leaf[i].node] = r->place.slot[r->p->plan.view[r->p->leaf[i].node].slot];
    find_needed(r, needed);
    uint64_t before = r->p->flush ? mode_flush() : 0;
    cr_status status = reference_run(&ref);
    if (r->p->flush) mode_restore(before);
    r->place.bad_node = ref.bad_node;
    r->place.failure = (struct failure){.status = status,
                                        .infinite = ref.infinite,
                                        .bad = ref.bad,
                                        .limit = ref.limit,
                                        .inside = ref.inside,
                                        .inside_node = ref.inside_node,
                                        .trip = ref.trip};
    if (!status) status = check_finite(r, &ref);
    if (!status) copy_out(r, &ref);
    if (!status) update(r, &ref);
    reference_free(&ref);
    return status;
}

static cr_status run_reference(cr_run *r) {
    gather_inputs(r);
    size_t count = r->p->g->count;
    const void **leaf = mem_zero(&r->mem, mem_mul(count, sizeof *leaf));
    uint8_t *needed = mem_zero(&r->mem, count);
    cr_status status = leaf && needed ? compute_reference(r, leaf, needed) : CR_ENOMEM;
    mem_free(&r->mem, leaf, count * sizeof *leaf);
    mem_free(&r->mem, needed, count);
    return status;
}

static cr_status run_program(cr_run *r) {
    gather_inputs(r);
    cr_status status = program_run(r->p, &r->place, false);
    if (!status) status = check_finite(r, NULL);
    if (!status) status = program_run(r->p, &r->place, true);
    if (status) return status;
    copy_out(r, NULL);
    update(r, NULL);
    return CR_OK;
}

cr_status run_ready(cr_run *r) {
    if (r->status) return r->status;
    cr_status status = r->changed ? prepare(r) : CR_OK;
    if (!status && r->moved) run_find_calls(r);
    return status;
}

void run_done(cr_run *r) {
    r->told = false;
    r->straight = r->steady;
}

cr_status run_step(cr_run *r) {
    cr_status status = run_ready(r);
    if (status) return status;
    status = r->p->reference ? run_reference(r) : run_program(r);
    if (status) return run_failed(r, status);
    r->place.step++;
    run_done(r);
    return CR_OK;
}

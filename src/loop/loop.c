/* From a group of nodes to a loop: accesses found, tile buffers shared by values that do not live at the same time. */
#include "loop/loop.h"

#include <string.h>

#include "tensor/dtype.h"

int loop_merge(int rank, const int64_t dim[], const int64_t stride[], int64_t dim_out[], int64_t stride_out[]) {
    int n = 0;
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1) continue;
        if (n && stride_out[n - 1] == stride[i] * dim[i]) { /* the outer axis steps over just this one */
            dim_out[n - 1] *= dim[i];
            stride_out[n - 1] = stride[i];
        } else {
            dim_out[n] = dim[i];
            stride_out[n++] = stride[i];
        }
    }
    return n;
}

struct maker {
    struct loop *l;
    const struct plan *p;
    const struct step *s;
    uint32_t *last;       /* by instruction: the last one that reads its result */
    uint32_t *spare;      /* buffers free again */
    uint32_t spares;
};

static uint32_t member(const struct maker *m, uint32_t node) {
    uint32_t x = plan_real(m->p->g, node), step = (uint32_t)(m->s - m->p->step);
    if (m->p->step_of[x] != step || !plan_elementwise(graph_at(m->p->g, x)->op)) return no_slot;
    for (uint32_t i = 0; i < m->l->instructions; i++) /* at most some ninety */
        if (m->l->instruction[i].node == x) return i;
    return no_slot;
}

static uint32_t new_buffer(struct maker *m) { return m->spares ? m->spare[--m->spares] : m->l->buffers++; }

/* An access for reading this node's numbers, found or added. */
static uint32_t read_access(struct maker *m, uint32_t node) {
    const struct node *n = graph_at(m->p->g, node);
    const struct view *v = &m->p->view[node];
    struct access a = {.dtype = n->dtype, .slot = v->slot, .offset = v->offset};
    int64_t *dim = m->l->numbers + m->l->number_count, *stride = dim + CR_MAX_RANK;
    a.rank = loop_merge(graph_rank(m->p->g, n), graph_dims(m->p->g, n), plan_strides(m->p, node), dim, stride);
    a.kind = a.rank == 0 || (a.rank == 1 && stride[0] == 1) ? ACCESS_DIRECT : a.rank == 1 && stride[0] == 0 ? ACCESS_REPEAT : ACCESS_STRIDED;
    if (m->l->count == 0) a.kind = ACCESS_DIRECT;
    for (uint32_t i = 0; i < m->l->accesses; i++) {
        const struct access *b = &m->l->access[i];
        if (b->slot == a.slot && b->offset == a.offset && b->dtype == a.dtype && b->kind == a.kind && b->rank == a.rank &&
            memcmp(b->dim, dim, (size_t)a.rank * 8) == 0 && memcmp(b->stride, stride, (size_t)a.rank * 8) == 0)
            return i;
    }
    a.dim = dim;
    a.stride = stride;
    a.buffer = a.kind == ACCESS_DIRECT ? 0 : m->l->buffers++; /* stays for the whole loop */
    m->l->number_count += 2 * CR_MAX_RANK;
    m->l->access[m->l->accesses] = a;
    return m->l->accesses++;
}

static uint32_t write_access(struct maker *m, uint32_t node) {
    static const int64_t none[1];
    const struct view *v = &m->p->view[node];
    m->l->access[m->l->accesses] = (struct access){.kind = ACCESS_DIRECT, .dtype = graph_at(m->p->g, node)->dtype, .slot = v->slot, .offset = v->offset, .dim = none, .stride = none};
    return m->l->accesses++;
}

static struct place operand_place(struct maker *m, uint32_t node) {
    uint32_t i = member(m, node);
    if (i != no_slot) return m->l->instruction[i].result;
    uint32_t a = read_access(m, node);
    bool direct = m->l->access[a].kind == ACCESS_DIRECT;
    return (struct place){!direct, direct ? a : m->l->access[a].buffer};
}

/* Buffers of results that this instruction reads for the last time serve again, from the next instruction on. */
static void release(struct maker *m, uint32_t i) {
    for (uint32_t j = 0; j < i; j++)
        if (m->last[j] == i && m->l->instruction[j].result.in_buffer) m->spare[m->spares++] = m->l->instruction[j].result.index;
}

static void last_reads(struct maker *m) {
    const struct plan *p = m->p;
    for (uint32_t i = 0; i < m->s->n; i++) m->last[i] = i;
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct node *n = graph_at(p->g, p->node[m->s->first + i]);
        for (uint32_t k = 0; k < n->n; k++)
            for (uint32_t j = 0; j < i; j++)
                if (p->node[m->s->first + j] == plan_real(p->g, n->arg[k])) m->last[j] = i;
    }
}

static size_t widest(const struct maker *m) {
    size_t w = 1;
    for (uint32_t i = 0; i < m->s->n; i++) {
        const struct node *n = graph_at(m->p->g, m->p->node[m->s->first + i]);
        for (uint32_t k = 0; k <= n->n; k++) {
            size_t size = cr_dtype_size((cr_dtype)(k < n->n ? graph_at(m->p->g, n->arg[k])->dtype : n->dtype));
            if (size > w) w = size;
        }
    }
    return w;
}

static void make_instruction(struct maker *m, uint32_t i) {
    uint32_t id = m->p->node[m->s->first + i];
    const struct node *n = graph_at(m->p->g, id);
    struct instruction in = {.op = n->op, .to = n->dtype, .node = id};
    in.from = graph_at(m->p->g, n->arg[n->n - 1])->dtype;
    in.n = graph_attr_count(m->p->g, n) ? graph_attr(m->p->g, n)[0] : 0;
    for (uint32_t k = 0; k < n->n; k++) in.operand[k] = operand_place(m, n->arg[k]);
    bool stored = m->p->view[id].slot != no_slot;
    in.result.in_buffer = !stored;
    in.result.index = stored ? write_access(m, id) : new_buffer(m);
    m->l->instruction[i] = in;
    m->l->instructions = i + 1;
    release(m, i);
}

cr_status loop_make(struct loop *l, const struct plan *p, const struct step *s) {
    *l = (struct loop){.mem = p->mem};
    struct maker m = {.l = l, .p = p, .s = s};
    uint32_t n = s->n;
    l->count = graph_elements(p->g, graph_at(p->g, p->node[s->first]));
    l->tile = (int64_t)((size_t)tile_bytes / widest(&m));
    l->instruction = mem_zero(&l->mem, n * sizeof *l->instruction);
    l->access = mem_zero(&l->mem, 4 * n * sizeof *l->access);
    l->numbers = mem_zero(&l->mem, 6 * n * CR_MAX_RANK * sizeof *l->numbers);
    m.last = mem_alloc(&l->mem, n * sizeof *m.last);
    m.spare = mem_alloc(&l->mem, n * sizeof *m.spare);
    l->number_count = 0;
    bool ok = l->instruction && l->access && l->numbers && m.last && m.spare;
    if (ok) last_reads(&m);
    for (uint32_t i = 0; ok && i < n; i++) make_instruction(&m, i);
    mem_free(&l->mem, m.last, n * sizeof *m.last);
    mem_free(&l->mem, m.spare, n * sizeof *m.spare);
    l->number_count = 6 * n * CR_MAX_RANK;
    return ok ? CR_OK : CR_ENOMEM;
}

void loop_drop(struct loop *l) {
    size_t n = l->number_count / (6 * CR_MAX_RANK);
    mem_free(&l->mem, l->instruction, n * sizeof *l->instruction);
    mem_free(&l->mem, l->access, 4 * n * sizeof *l->access);
    mem_free(&l->mem, l->numbers, l->number_count * sizeof *l->numbers);
    *l = (struct loop){.mem = l->mem};
}

/* From a group of nodes to a loop: accesses found, tile buffers shared by values that do not live at the same
 * time. */
#include "loop/loop.h"

#include <string.h>

#include "base/whole.h"
#include "tensor/dtype.h"

int loop_merge(int rank, const int64_t dim[], const int64_t stride[], int64_t dim_out[],
               int64_t stride_out[]) {
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
    uint32_t *last;  /* by instruction: the last one that reads its result */
    uint32_t *spare; /* buffers free again */
    uint32_t spares;
    uint32_t made; /* instructions so far */
    uint8_t pass;  /* of the instruction that is being made */
    bool failed;   /* out of memory */
};

static uint32_t member(const struct maker *m, uint32_t node) {
    uint32_t x = plan_real(m->p->g, node), step = (uint32_t)(m->s - m->p->step);
    if (m->p->step_of[x] != step || !plan_elementwise(graph_at(m->p->g, x)->op)) return no_slot;
    for (uint32_t i = 0; i < m->made; i++) /* at most loop_most */
        if (m->l->instruction[i].node == x) return i;
    return no_slot;
}

static uint32_t new_buffer(struct maker *m) { return m->spares ? m->spare[--m->spares] : m->l->buffers++; }

static bool is_new(const struct loop *l, const struct access *a) {
    for (uint32_t i = 0; i < l->accesses; i++)
        if (l->access[i].slot == a->slot && l->access[i].pass < a->pass) return false;
    return true;
}

static uint32_t add_access(struct maker *m, struct access a) {
    struct loop *l = m->l;
    if (!mem_grow(&l->mem, &l->access, &l->access_cap, l->accesses, sizeof *l->access))
        return m->failed = true, 0;
    a.size = (uint8_t)cr_dtype_size((cr_dtype)a.dtype);
    a.pass = m->pass;
    a.far = a.kind == ACCESS_DIRECT && !a.narrow && is_new(l, &a);
    l->access[l->accesses] = a;
    return (uint32_t)l->accesses++;
}

static uint32_t add_numbers(struct maker *m, int n, const int64_t x[]) {
    struct loop *l = m->l;
    uint32_t first = (uint32_t)l->number_count;
    for (int i = 0; i < n; i++) {
        if (!mem_grow(&l->mem, &l->numbers, &l->number_cap, l->number_count, sizeof *x))
            return m->failed = true, 0;
        l->numbers[l->number_count++] = x[i];
    }
    return first;
}

static bool same_access(const struct loop *l, const struct access *a, const struct access *b,
                        const int64_t numbers[]) {
    return a->slot == b->slot && a->offset == b->offset && a->dtype == b->dtype && a->kind == b->kind &&
           a->narrow == b->narrow && a->pass == b->pass && a->rank == b->rank &&
           (a->rank == 0 || memcmp(l->numbers + a->numbers, numbers, 2u * a->rank * sizeof *numbers) == 0);
}

/* Do the numbers repeat, so often that each tile begins where they do? */
static bool reads_again(const struct loop *l, int rank, const int64_t dim[], const int64_t stride[]) {
    int64_t period = rank > 1 ? shape_count(rank - 1, dim + 1) : 0;
    if (period == 0 || stride[0] != 0 || l->by_passes) return false;
    return (l->rows == 1 || l->run % period == 0) && (l->tile_cols == l->run || l->tile_cols % period == 0);
}

/* Of numbers that do not run on, merged: is it one number for each row whose tiles have no other, or one line for all rows of
 * a loop that goes by passes? */
static bool one_for_row(const struct loop *l, int rank, const int64_t dim[], const int64_t stride[]) {
    bool one = l->by_passes || (l->tile_rows == 1 && l->tile_cols == l->run && l->rows > 1);
    return one && stride[rank - 1] == 0 && dim[rank - 1] % l->run == 0;
}
static bool one_line(const struct loop *l, int rank, const int64_t dim[], const int64_t stride[]) {
    return l->by_passes && rank == 2 && stride[0] == 0 && stride[1] == 1 && dim[1] == l->run;
}

/* An access for reading this node's numbers, found or added; by passes, each pass has its own. */
static uint32_t read_access(struct maker *m, uint32_t node, bool narrow) {
    const struct node *n = graph_at(m->p->g, node);
    const struct view *v = &m->p->view[node];
    struct access a = {.dtype = n->dtype, .slot = v->slot, .offset = v->offset, .narrow = narrow};
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK], numbers[2 * CR_MAX_RANK];
    int rank =
        loop_merge(graph_rank(m->p->g, n), graph_dims(m->p->g, n), plan_strides(m->p, node), dim, stride);
    bool direct = graph_elements(m->p->g, n) <= 1 || (rank == 1 && stride[0] == 1),
         repeat = rank == 1 && stride[0] == 0;
    a.kind = direct ? ACCESS_DIRECT : repeat ? ACCESS_REPEAT : ACCESS_STRIDED;
    a.pass = m->pass;
    if (a.kind == ACCESS_STRIDED && !narrow) {
        if (one_line(m->l, rank, dim, stride)) a.kind = ACCESS_LINE;
        else a.constant = one_for_row(m->l, rank, dim, stride);
    }
    a.rank = a.kind == ACCESS_STRIDED ? (uint8_t)rank : 0;
    a.again = a.rank && !narrow && reads_again(m->l, rank, dim, stride);
    memcpy(numbers, dim, a.rank * sizeof *dim);
    memcpy(numbers + a.rank, stride, a.rank * sizeof *stride);
    for (uint32_t i = 0; i < m->l->accesses; i++)
        if (same_access(m->l, &m->l->access[i], &a, numbers)) return i;
    a.numbers = add_numbers(m, 2 * a.rank, numbers);
    if (m->failed) return 0;
    if (a.kind == ACCESS_REPEAT || a.kind == ACCESS_STRIDED)
        a.buffer = m->l->buffers++; /* stays for the whole loop */
    return add_access(m, a);
}

static uint32_t write_access(struct maker *m, uint32_t node, bool narrow) {
    const struct view *v = &m->p->view[node];
    return add_access(m, (struct access){.kind = ACCESS_DIRECT,
                                         .narrow = narrow,
                                         .dtype = graph_at(m->p->g, node)->dtype,
                                         .slot = v->slot,
                                         .offset = v->offset});
}

static struct place place_at(enum place_kind kind, uint32_t index) {
    return (struct place){.kind = kind & 3, .index = index & 0x3fffffff};
}

static struct place operand_place(struct maker *m, uint32_t node, bool narrow) {
    uint32_t i = member(m, node);
    if (i != no_slot) return m->l->instruction[i].result;
    uint32_t a = read_access(m, node, narrow);
    if (m->failed) return (struct place){0};
    enum access_kind kind = m->l->access[a].kind;
    bool buffered = kind == ACCESS_REPEAT || kind == ACCESS_STRIDED;
    return place_at(buffered ? IN_BUFFER : IN_ACCESS, buffered ? m->l->access[a].buffer : a);
}

/* Buffers of results that this instruction reads for the last time serve again, from the next instruction on; not those of
 * another pass, whose numbers the next tile needs too. */
static void release(struct maker *m, uint32_t i) {
    for (uint32_t j = 0; j < i; j++) {
        const struct instruction *in = &m->l->instruction[j];
        if (m->last[j] == i && in->result.kind == IN_BUFFER && in->pass == m->pass)
            m->spare[m->spares++] = in->result.index;
    }
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
            size_t size =
                cr_dtype_size((cr_dtype)(k < n->n ? graph_at(m->p->g, n->arg[k])->dtype : n->dtype));
            if (size > w) w = size;
        }
    }
    return w;
}

/* ---- How it goes through its elements ---- */

/* As many whole rows as make a tile, but one at least; in a group none that straddles a block. */
static int64_t rows_in_tile(const struct maker *m, int64_t tile) {
    int64_t rows = m->l->run >= tile ? 1 : least(tile / m->l->run, fold_rows);
    if (m->s->way == WAY_WHOLE) return rows;
    if (m->l->diagonal) return 1;
    const struct group *g = &m->p->group[m->s->group];
    while ((g->batch > 1 && g->rows % rows) || g->block % rows) rows--;
    return rows;
}

/* Bytes of most of its results, at least 4: a place or a choice among them does not make tiles shorter. */
static size_t usual(const struct maker *m) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < m->s->n; i++)
        bytes += cr_dtype_size((cr_dtype)graph_at(m->p->g, m->p->node[m->s->first + i])->dtype);
    return bytes > 6 * (size_t)m->s->n ? 8 : 4;
}

static void cut(struct maker *m, size_t widest_dtype) {
    struct loop *l = m->l;
    const struct step *s = m->s;
    int64_t tile = (int64_t)(tile_bytes / (widest_dtype > 4 ? usual(m) : widest_dtype));
    bool folds = s->lines || s->rows_too;
    l->rows = folds ? s->rows : 1;
    l->run = folds ? s->run : l->count;
    l->diagonal = s->bound ? m->p->group[s->group].rows : 0;
    l->tile_rows = l->unit_rows = 1;
    l->tile_cols = l->unit_cols = tile;
    l->by_passes = plan_whole_rows(s) && l->run > tile;
    l->widest = widest_dtype;
    l->room_bytes = l->by_passes ? whole_lines((size_t)l->run * widest_dtype) : 0;
    if (l->by_passes) {
        l->unit_cols = l->run;
    } else if (plan_whole_rows(s) || (!s->lines && s->rows_too && l->run <= tile)) {
        l->tile_cols = l->unit_cols = l->run;
        l->tile_rows = l->unit_rows = rows_in_tile(m, tile);
    } else if (s->lines) {
        l->unit_cols = fold_block;
    }
    if (s->rows_too) l->unit_rows = fold_rows;
    size_t bytes = (size_t)(l->tile_rows * l->tile_cols) * widest_dtype;
    l->buffer_bytes = bytes > tile_bytes ? whole_lines(bytes) : tile_bytes;
}

/* ---- Instructions ---- */

static enum instruction_kind kind_of(const struct maker *m, uint32_t id) {
    int64_t rows, run;
    enum loop_role role = plan_role(m->p->g, m->s, id);
    if (role != ROLE_FOLD) return role == ROLE_WIDE ? DO_WIDE : DO_NARROW;
    if (plan_fold(m->p->g, id, &rows, &run) == FOLD_ROWS) return FOLD_ROWS_PART;
    return plan_whole_rows(m->s) ? FOLD_WHOLE : FOLD_PART;
}

/* Room for what the units leave. */
static void make_partial(struct loop *l, struct instruction *in) {
    int64_t numbers = in->kind == FOLD_PART ? l->rows * pieces(l->run, l->unit_cols)
                                            : l->run * pieces(l->rows, l->unit_rows);
    in->partial = l->shared;
    l->shared += whole_lines((size_t)numbers * cr_dtype_size((cr_dtype)in->to));
}

static struct place result_place(struct maker *m, uint32_t i, const struct instruction *in) {
    if (m->p->view[in->node].slot != no_slot)
        return place_at(IN_ACCESS, write_access(m, in->node, in->kind != DO_WIDE));
    if (m->l->by_passes && plan_crosses(m->p, m->s, i)) return place_at(IN_ROOM, m->l->rooms++);
    return place_at(IN_BUFFER, new_buffer(m));
}

static uint8_t fills_of(const struct loop *l, uint32_t first, uint32_t end) {
    uint8_t fills = 0;
    for (const struct access *a = l->access + first; a < l->access + end; a++) {
        if (a->kind == ACCESS_REPEAT || a->again) fills |= 1;
        else if (a->kind == ACCESS_STRIDED) fills |= 2;
    }
    return fills;
}

static void make_instruction(struct maker *m, uint32_t i) {
    uint32_t id = m->p->node[m->s->first + i];
    const struct node *n = graph_at(m->p->g, id);
    struct instruction in = {
        .op = n->op, .to = n->dtype, .node = id, .kind = (uint8_t)kind_of(m, id), .operands = (uint8_t)n->n};
    in.pass = m->pass = m->l->by_passes ? m->p->pass[m->s->first + i] : 0;
    in.from = graph_at(m->p->g, n->arg[n->n - 1])->dtype;
    if (in.kind <= DO_NARROW) in.n = graph_attr_count(m->p->g, n) ? graph_attr(m->p->g, n)[0] : 0;
    for (uint32_t k = 0; k < n->n; k++) in.operand[k] = operand_place(m, n->arg[k], in.kind == DO_NARROW);
    in.result = result_place(m, i, &in);
    in.accesses = (uint32_t)m->l->accesses;
    in.fills = fills_of(m->l, i ? m->l->instruction[i - 1].accesses : 0, in.accesses);
    if (in.kind == FOLD_PART || (m->l->by_passes && in.kind == FOLD_WHOLE)) in.state = m->l->buffers++;
    if (in.kind == FOLD_PART || in.kind == FOLD_ROWS_PART) make_partial(m->l, &in);
    m->l->instruction[i] = in;
    m->made = i + 1;
    release(m, i);
}

static bool reads_buffer(const struct instruction *in, uint32_t operand, uint32_t buffer) {
    return in->operand[operand].kind == IN_BUFFER && in->operand[operand].index == buffer;
}

/* Which numbers that repeat are blocks: those that only wide instructions of several operands read. */
static void find_blocks(struct loop *l) {
    for (uint32_t k = 0; k < l->accesses; k++) {
        struct access *a = &l->access[k];
        a->block = !a->narrow && (a->kind == ACCESS_REPEAT || a->constant);
        for (uint32_t i = 0; i < l->instructions && a->block; i++) {
            const struct instruction *in = &l->instruction[i];
            for (uint32_t o = 0; o < in->operands; o++)
                if (reads_buffer(in, o, a->buffer) && (in->operands < 2 || in->kind != DO_WIDE))
                    a->block = false;
        }
        for (uint32_t i = 0; i < l->instructions && a->block; i++)
            for (uint32_t o = 0; o < l->instruction[i].operands; o++)
                if (reads_buffer(&l->instruction[i], o, a->buffer))
                    l->instruction[i].repeats |= (uint8_t)(1u << o);
    }
}

cr_status loop_make(struct loop *l, const struct plan *p, const struct step *s) {
    *l = (struct loop){.mem = p->mem};
    struct maker m = {.l = l, .p = p, .s = s};
    uint32_t n = s->n;
    const int64_t *dim = intern_bytes(&p->g->shape, s->shape);
    l->count = shape_count((int)(intern_size(&p->g->shape, s->shape) / sizeof *dim), dim);
    cut(&m, widest(&m));
    l->instruction = mem_zero(&l->mem, n * sizeof *l->instruction);
    m.last = mem_alloc(&l->mem, n * sizeof *m.last);
    m.spare = mem_alloc(&l->mem, n * sizeof *m.spare);
    bool ok = l->instruction && m.last && m.spare;
    l->instructions = n;
    if (ok) last_reads(&m);
    for (uint32_t i = 0; ok && i < n && !m.failed; i++) make_instruction(&m, i);
    if (ok && !m.failed) find_blocks(l);
    mem_free(&l->mem, m.last, n * sizeof *m.last);
    mem_free(&l->mem, m.spare, n * sizeof *m.spare);
    return ok && !m.failed ? CR_OK : CR_ENOMEM;
}

void loop_drop(struct loop *l) {
    mem_free(&l->mem, l->instruction, l->instructions * sizeof *l->instruction);
    mem_free(&l->mem, l->access, l->access_cap * sizeof *l->access);
    mem_free(&l->mem, l->numbers, l->number_cap * sizeof *l->numbers);
    *l = (struct loop){.mem = l->mem};
}

size_t loop_parts(const struct loop *l, size_t tasks, int64_t units) {
    int64_t parts = loop_work(l) / loop_worth_a_thread;
    if (parts > (int64_t)tasks) parts = (int64_t)tasks;
    if (parts > units) parts = units;
    return parts > 1 ? (size_t)parts : 1;
}

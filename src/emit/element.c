/* Elements of views: arrays, and indices as text. */
#include <string.h>

#include "emit/emit.h"
#include "tensor/dtype.h"

const char *const emit_axis[CR_MAX_RANK] = {"i",  "j",  "k",   "l",   "m",   "n",   "i6",  "i7",
                                            "i8", "i9", "i10", "i11", "i12", "i13", "i14", "i15"};

/* ---- Elements of views ---- */

/* "2 + i * 3 + j", or 0. */
void emit_index(struct cr_text *out, int64_t offset, int n, const int64_t stride[],
                const char *const index[]) {
    size_t before = out->n;
    if (offset) text_add(out, "%lld", (long long)offset);
    for (int i = 0; i < n; i++) {
        if (stride[i] == 0) continue;
        if (out->n > before) text_str(out, stride[i] < 0 ? " - " : " + ");
        else if (stride[i] < 0) text_str(out, "-");
        text_str(out, index[i]);
        int64_t size = stride[i] < 0 ? -stride[i] : stride[i];
        if (size != 1) text_add(out, " * %lld", (long long)size);
    }
    if (out->n == before) text_char(out, '0');
}

/* What the array is called that a node's numbers are in: the first or second result of an op. *offset: from its start. */
static const char *array_of(struct emitter *e, uint32_t node, int64_t *offset) {
    const struct view *v = &e->p->view[node];
    const struct node *from = graph_at(e->g, e->p->slot[v->slot].node);
    cr_dtype dtype = (cr_dtype)graph_at(e->g, node)->dtype;
    if (!ops_has_parts(from->op)) return emit_name(e, e->p->slot[v->slot].node);
    int64_t size = (int64_t)cr_dtype_size(dtype), start = (int64_t)ops_part_offset(e->g, from, 1, 0);
    bool second = start ? *offset * size >= start : dtype != (cr_dtype)from->dtype; /* both empty: by type */
    if (!second) return emit_name(e, e->p->slot[v->slot].node);
    *offset -= start / size;
    return emit_second_name(e, e->p->slot[v->slot].node);
}

/* What is cut is indexed as if all of it were there: its first number is that of the block's first row. */
static void subtract_block(struct emitter *e, struct cr_text *out, const struct slot *s) {
    int64_t width = graph_elements(e->g, graph_at(e->g, s->node)) / plan_cut_rows(e->p, s);
    text_add(out, width == 1 ? " - %s" : " - %s * %lld", emit_block_row(e, plan_cut_shared(e->p, s)),
             (long long)width);
}

/* A vector of places is not narrowed by the compiler: it begins as wide as what it is compared to. */
static void place_number(struct emitter *e, struct cr_text *out, int64_t offset, int n,
                         const int64_t stride[], const char *const index[], bool narrow) {
    const char *of[CR_MAX_RANK];
    for (int i = 0; i < n; i++)
        of[i] = narrow && e->place && index[i] == emit_axis[e->nest.rows] ? e->place : index[i];
    text_str(out, narrow ? "(int64_t)(int32_t)(" : "(int64_t)(");
    emit_index(out, offset, n, stride, of);
    text_char(out, ')');
}

void emit_element_of(struct emitter *e, struct cr_text *out, uint32_t node, int n, const int64_t stride[],
                     const char *const index[]) {
    const struct view *v = &e->p->view[node];
    const struct slot *s = &e->p->slot[v->slot];
    bool one = s->bytes == cr_dtype_size((cr_dtype)graph_at(e->g, s->node)->dtype);
    int64_t offset = v->offset;
    const char *array = array_of(e, node, &offset);
    if (s->kind == SLOT_SOURCE && !e->exact) text_str(out, array);
    else if (s->kind == SLOT_CONST && one && !e->exact && graph_at(e->g, s->node)->op == OP_const)
        emit_literal(e, out, (cr_dtype)graph_at(e->g, s->node)->dtype, s->data, 0);
    else {
        bool counted = graph_at(e->g, s->node)->op == OP_iota;             /* element i is i */
        bool narrow = e->exact && s->bytes / sizeof(int64_t) <= INT32_MAX; /* more of them make a vector */
        if (counted) {
            place_number(e, out, offset, n, stride, index, narrow);
            return;
        }
        text_add(out, "%s[", array);
        emit_index(out, offset, n, stride, index);
        if (s->kind == SLOT_BLOCK && !e->exact) subtract_block(e, out, s);
        text_char(out, ']');
    }
}

void emit_element(struct emitter *e, struct cr_text *out, uint32_t node, int rank,
                  const char *const index[]) {
    emit_element_of(e, out, node, rank, plan_strides(e->p, node), index);
}

struct expression emit_take(struct emitter *e, struct cr_text *t) {
    struct expression x = {""};
    if (t->failed) e->status = CR_ENOMEM;
    else if (t->n >= sizeof x.s) emit_refuse(e, "an expression is too long");
    else memcpy(x.s, t->s ? t->s : "", t->n + (t->s != NULL));
    text_drop(t);
    return x;
}

struct expression emit_number(struct emitter *e, int n, const int64_t dim[], const char *const index[]) {
    int64_t stride[CR_MAX_RANK], size = 1;
    struct cr_text t = text_make(&e->mem);
    for (int i = n; i-- > 0; size *= dim[i]) stride[i] = size;
    emit_index(&t, 0, n, stride, index);
    return emit_take(e, &t);
}

void emit_open_axis(struct emitter *e, int axis, int64_t size) {
    const char *i = emit_axis[axis];
    emit_open(e, "for (long %s = 0; %s < %lld; %s++)", i, i, (long long)size, i);
}

size_t emit_scratch_bytes(int64_t n) { return ((size_t)n * 8 + 64) / 64 * 64; }

void emit_scratch(struct emitter *e, const char *type, const char *name, int64_t n) {
    emit_line(e, "%s *const %s = (%s *)(void *)(row + %zu);", type, name, type, e->rows_now);
    e->rows_now += emit_scratch_bytes(n);
    if (e->rows_now > e->row_numbers) e->row_numbers = e->rows_now;
}

struct expression emit_pointer_of(struct emitter *e, uint32_t node, int n, const int64_t stride[],
                                  const char *const index[]) {
    struct cr_text x = text_make(&e->mem), t = text_make(&e->mem);
    char type[80];
    emit_element_of(e, &x, node, n, stride, index);
    if (x.failed || x.n == 0) text_str(&t, "x");
    else if (x.n > 3 && strcmp(x.s + x.n - 3, "[0]") == 0) text_bytes(&t, x.s, x.n - 3);
    else if (x.s[x.n - 1] == ']') text_add(&t, "&%s", x.s);
    else /* a literal */
        text_add(&t, "&(const %s){%s}", emit_type(e, (cr_dtype)graph_at(e->g, node)->dtype, type), x.s);
    text_drop(&x);
    return emit_take(e, &t);
}

struct expression emit_pointer(struct emitter *e, uint32_t node, int rank, const char *const index[]) {
    return emit_pointer_of(e, node, rank, plan_strides(e->p, node), index);
}

void emit_move_rest(struct emitter *e, const char *to, uint32_t node, int fixed, const char *const index[]) {
    const struct node *n = graph_at(e->g, node);
    int rank = graph_rank(e->g, n) - fixed;
    const int64_t *dim = graph_dims(e->g, n) + fixed;
    const char *at[CR_MAX_RANK] = {NULL};
    for (int i = 0; i < fixed; i++) at[i] = index[i];
    for (int i = 0; i < rank; i++) at[fixed + i] = emit_axis[i];
    for (int i = 0; i < rank; i++) emit_open_axis(e, i, dim[i]);
    text_add(e->out, "%*s%s[%s] = ", 4 * e->depth, "", to, emit_number(e, rank, dim, emit_axis).s);
    emit_element(e, e->out, node, fixed + rank, at);
    text_str(e->out, ";\n");
    for (int i = 0; i < rank; i++) emit_close(e);
}

/* What runs on is one loop. */
void emit_move(struct emitter *e, const char *to, uint32_t node) {
    const struct node *n = graph_at(e->g, node);
    const struct view *v = &e->p->view[node];
    bool whole = plan_contiguous(e->p, node) && v->offset == 0 && graph_rank(e->g, n);
    if (!whole || e->p->slot[v->slot].kind == SLOT_CONST) emit_move_rest(e, to, node, 0, NULL);
    else
        emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = %s[i];", (long long)graph_elements(e->g, n), to,
                  emit_name(e, e->p->slot[v->slot].node));
}

void emit_clear(struct emitter *e, const char *to, int64_t n) {
    emit_line(e, "for (long i = 0; i < %lld; i++) %s[i] = 0;", (long long)n, to);
}

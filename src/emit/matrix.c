/* Linear algebra as C: a matrix of a batch is copied to doubles, worked on there, and put where it belongs. */
#include "emit/emit.h"

struct batch {
    struct emitter *e;
    uint32_t id;
    const struct node *n;
    int axes; /* of the batch */
    long long order, columns;
};

static uint32_t operand(const struct batch *b, uint32_t i) { return b->n->arg[i]; }

static void open_batch(const struct batch *b) {
    const int64_t *dim = graph_dims(b->e->g, graph_at(b->e->g, operand(b, 0)));
    for (int i = 0; i < b->axes; i++) emit_open_axis(b->e, i, dim[i]);
}
static void close_batch(const struct batch *b) {
    for (int i = 0; i < b->axes; i++) emit_close(b->e);
}

/* to[i, j] = the operand's matrix at the indices of the batch. */
static void load(const struct batch *b, uint32_t i, const char *to) {
    struct emitter *e = b->e;
    const int64_t *dim = graph_dims(e->g, graph_at(e->g, operand(b, i)));
    int rank = b->axes + 2;
    struct cr_text t = text_make(&e->mem);
    emit_element(e, &t, operand(b, i), rank, emit_axis);
    struct expression at = emit_number(e, 2, dim + b->axes, emit_axis + b->axes), x = emit_take(e, &t);
    emit_open_axis(e, b->axes, dim[b->axes]);
    emit_open_axis(e, b->axes + 1, dim[b->axes + 1]);
    emit_line(e, "%s[%s] = (double)%s;", to, at.s, x.s);
    emit_close(e);
    emit_close(e);
}

/* The matrix, line or number of a result at the indices of the batch. */
static void store(const struct batch *b, int part, const char *from) {
    struct emitter *e = b->e;
    struct shape s = ops_part_shape(e->g, b->n, part);
    char type[80];
    const char *t = emit_type(e, (cr_dtype)b->n->dtype, type);
    int own = s.rank - b->axes;
    struct expression to = emit_number(e, s.rank, s.dim, emit_axis),
                      at = emit_number(e, own, s.dim + b->axes, emit_axis + b->axes);
    for (int i = b->axes; i < s.rank; i++) emit_open_axis(e, i, s.dim[i]);
    const char *name = part ? emit_second_name(e, b->id) : emit_name(e, b->id);
    if (own) emit_line(e, "%s[%s] = (%s)%s[%s];", name, to.s, t, from, at.s);
    else emit_line(e, "%s[%s] = (%s)%s;", name, to.s, t, from);
    for (int i = b->axes; i < s.rank; i++) emit_close(e);
}

/* A helper's call: f(matrix, n arguments); what fails leaves the function. */
static void call(const struct batch *b, const char *function, bool may_fail, const char *arguments) {
    struct emitter *e = b->e;
    struct cr_text name = text_make(&e->mem);
    emit_helper(e, &name, function, CR_F64);
    if (may_fail) e->may_fail = true;
    if (!name.failed && name.n && may_fail)
        emit_line(e, "if (%s(matrix, %lld%s) >= 0) return 2;", name.s, b->order, arguments);
    else if (!name.failed && name.n) emit_line(e, "%s(matrix, %lld%s);", name.s, b->order, arguments);
    text_drop(&name);
}

static void cholesky(const struct batch *b) {
    call(b, "matrix_symmetric", false, "");
    call(b, "matrix_cholesky", true, "");
    store(b, 0, "matrix");
}

static void solve(const struct batch *b) {
    struct cr_text more = text_make(&b->e->mem);
    bool triangular = b->n->op == OP_triangular_solve;
    load(b, 1, "sides");
    text_add(&more, ", sides, %lld", b->columns);
    if (triangular) text_add(&more, ", %d, 0", graph_attr(b->e->g, b->n)[0] != 0);
    struct expression arguments = emit_take(b->e, &more);
    call(b, triangular ? "matrix_substitute" : "matrix_solve", true, arguments.s);
    store(b, 0, "sides");
}

static void logabsdet(const struct batch *b) {
    emit_line(b->e, "double size, sign;");
    call(b, "matrix_logabsdet", false, ", &size, &sign");
    store(b, 0, "size");
    store(b, 1, "sign");
}

static void eigh(const struct batch *b) {
    call(b, "matrix_symmetric", false, "");
    call(b, "matrix_eigh", false, ", values, vectors");
    store(b, 0, "values");
    store(b, 1, "vectors");
}

void emit_matrix(struct emitter *e, uint32_t id) {
    const struct node *n = graph_at(e->g, id), *x = graph_at(e->g, n->arg[0]);
    struct batch b = {.e = e, .id = id, .n = n, .axes = graph_rank(e->g, x) - 2};
    b.order = (long long)graph_dims(e->g, x)[b.axes];
    b.columns = n->n > 1 ? (long long)graph_dims(e->g, graph_at(e->g, n->arg[1]))[b.axes + 1] : 0;
    emit_scratch(e, "double", "matrix", b.order * b.order);
    if (b.columns) emit_scratch(e, "double", "sides", b.order * b.columns);
    if (n->op == OP_eigh) {
        emit_scratch(e, "double", "values", b.order);
        emit_scratch(e, "double", "vectors", b.order * b.order);
    }
    open_batch(&b);
    load(&b, 0, "matrix");
    switch (n->op) {
    case OP_cholesky: cholesky(&b); break;
    case OP_logabsdet: logabsdet(&b); break;
    case OP_eigh: eigh(&b); break;
    default: solve(&b);
    }
    close_batch(&b);
}

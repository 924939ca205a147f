/* Sums of tensors that are 0 but for a piece, as the gradient of a tensor that was read slice by slice: the pieces joined, which is
 * one pass over the numbers where the sum takes three for each piece. Adding 0 changes no number (-0 aside). */
#include "rewrite/rewrite.h"

#include "ops/build.h"

enum { most_pieces = 64 };

struct piece {
    cr_node x;
    int64_t first, end; /* along the axis */
};

struct pieces {
    int axis; /* from the end; 0: not known yet */
    int n;
    struct piece piece[most_pieces]; /* in order, none over another */
};

static int64_t size_along(cr_node x, int axis) { return cr_dims(x)[cr_rank(x) + axis]; }

static bool add_piece(const struct rewrite *r, struct pieces *p, cr_node x, int64_t first) {
    double v;
    int at = p->n;
    int64_t end = first + size_along(x, p->axis);
    if ((rewrite_literal(r, x.id, &v) && v == 0) || end == first) return true;
    while (at && p->piece[at - 1].first >= end) at--;
    if (p->n == most_pieces || (at && p->piece[at - 1].end > first)) return false;
    for (int i = p->n++; i > at; i--) p->piece[i] = p->piece[i - 1];
    p->piece[at] = (struct piece){x, first, end};
    return true;
}

/* What was joined already comes apart again. */
static bool add_pieces(const struct rewrite *r, struct pieces *p, cr_node x, int64_t first) {
    const struct node *n = graph_get(x);
    if (n->op != OP_concat || graph_attr(r->g, n)[0] != p->axis) return add_piece(r, p, x, first);
    for (uint32_t k = 0; k < n->n; k++) {
        cr_node part = cr_operand(x, (int)k);
        if (!add_piece(r, p, part, first)) return false;
        first += size_along(part, p->axis);
    }
    return true;
}

/* The axis along which an unslice puts its operand somewhere, as it is; 0: there is none, or more. */
static int unslice_axis(cr_node x) {
    cr_node a = cr_operand(x, 0);
    int axis = 0;
    for (int i = -cr_rank(x); i < 0; i++) {
        if (graph_attr(x.graph, graph_get(x))[2 * (-1 - i) + 1] != 1) return 0; /* turned around, too */
        if (size_along(a, i) == size_along(x, i)) continue;
        if (axis) return 0;
        axis = i;
    }
    return axis;
}

static bool add_term(const struct rewrite *r, struct pieces *p, cr_node x) {
    const struct node *n = graph_get(x);
    int axis = n->op == OP_concat ? (int)graph_attr(r->g, n)[0] : n->op == OP_unslice ? unslice_axis(x) : 0;
    if (axis == 0 || (p->axis && axis != p->axis)) return false;
    p->axis = axis;
    if (n->op == OP_concat) return add_pieces(r, p, x, 0);
    return add_pieces(r, p, cr_operand(x, 0), graph_attr(r->g, n)[2 * (-1 - axis)]);
}

/* With zeros between them. */
static cr_node join(const struct pieces *p, cr_node like) {
    cr_node part[2 * most_pieces];
    int64_t start[CR_MAX_RANK] = {0}, step[CR_MAX_RANK];
    struct shape s = ops_shape(like);
    int n = 0;
    for (int i = 0; i < p->n; i++) {
        s.dim[s.rank + p->axis] = i ? p->piece[i].first - p->piece[i - 1].end : 0;
        if (s.dim[s.rank + p->axis]) part[n++] = ops_zeros(like.graph, cr_dtype_of(like), &s);
        part[n++] = p->piece[i].x;
    }
    for (int i = 0; i < s.rank; i++) step[i] = 1;
    start[s.rank + p->axis] = p->piece[0].first;
    s = ops_shape(like);
    return ops_unslice(cr_concat(n, part, p->axis), start, step, &s);
}

cr_node rewrite_join(const struct rewrite *r, cr_node x) {
    struct pieces p = {.n = 0};
    if (!add_term(r, &p, cr_operand(x, 0)) || !add_term(r, &p, cr_operand(x, 1)) || p.n < 2) return x;
    return join(&p, x);
}

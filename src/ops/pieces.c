/* A scan whose reverse mode keeps less: a scan of shorter scans. The way back through the outer one keeps the carry before each piece, and
 * runs the piece again. Cut L times, n steps keep L n^(1/L) carries and run L times more (Griewank 1992, "Achieving logarithmic growth
 * of temporal and spatial complexity in reverse automatic differentiation", of which this is the form with equal pieces). */
#include <stdio.h>
#include <string.h>

#include "ops/batch.h"
#include "ops/control.h"
#include "tensor/dtype.h"

/* Functions that pieces are, each made once: all cuts are into as many pieces, so a level has pieces of two lengths at most, which differ
 * by one. */
struct piece {
    int64_t length;
    int cuts;
    cr_function *f;
};
enum { most_cuts = 32, most_pieces = 2 * most_cuts };
struct made {
    struct piece piece[most_pieces];
    int n;
};

/* A scan that is to be cut, its operands ready: carry, xs, constants. */
struct long_scan {
    cr_graph *g;
    cr_function *body;
    struct loop_attr l;
    const cr_node *x;
    int64_t pieces;
    int cuts;                         /* of this, and of what is inside its pieces; 0: a loop */
    cr_node *room, *in, *out, *carry; /* one piece of memory */
    size_t nodes;
    struct made *made;
};

static size_t carry_bytes(const cr_function *body, const struct loop_attr *l) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < (uint32_t)l->carry; i++) {
        const struct node *n = function_in(body, i);
        bytes += (size_t)graph_elements(body->g, n) * cr_dtype_size((cr_dtype)n->dtype);
    }
    return bytes;
}

/* The least s with s^levels >= n. */
static int64_t root(int64_t n, int levels) {
    for (int64_t s = 1;; s++) {
        int64_t power = 1;
        for (int i = 0; i < levels && power < n; i++) power = power > n / s ? n : power * s;
        if (power >= n) return s;
    }
}

enum { fewest = 4 }; /* pieces: four keep what two do in two levels */

int64_t control_pieces(const cr_function *body, const struct loop_attr *l, size_t bytes, int *cuts) {
    size_t row = carry_bytes(body, l);
    *cuts = 0;
    if (!row || l->n < 4 || bytes / row >= (uint64_t)l->n) return 1;
    int64_t rows = (int64_t)(bytes / row), s = l->n;
    for (int levels = 2; s > fewest; levels++) {
        s = root(l->n, levels);
        *cuts = levels - 1;
        if (levels * s <= rows) break;
    }
    return s;
}

/* ---- Pieces of one length ---- */

static cr_node piece_input(const struct long_scan *c, cr_graph *b, uint32_t i, int64_t length) {
    const struct node *n = function_in(c->body, i);
    struct shape s = graph_shape(c->body->g, n);
    char name[24];
    bool row = i >= (uint32_t)c->l.carry && i < (uint32_t)(c->l.carry + c->l.xs);
    snprintf(name, sizeof name, "%c%u", i < (uint32_t)c->l.carry ? 'h' : row ? 'x' : 'k', (unsigned)i);
    if (row) s = ops_lead(length, s);
    return cr_input(b, name, (cr_dtype)n->dtype, s.rank, s.dim);
}

static bool begin(struct long_scan *c) {
    const size_t results = c->body->n_out, operands = c->body->n_in;
    c->nodes = operands + 3 * results + 1;
    c->room = mem_zero(&c->g->mem, mem_mul(c->nodes, sizeof *c->room));
    if (!c->room) return graph_fail(c->g, CR_ENOMEM, NULL, "out of memory"), false;
    c->in = c->room, c->out = c->room + operands, c->carry = c->out + results;
    return true;
}

static void end(struct long_scan *c) {
    if (c->room) mem_free(&c->g->mem, c->room, c->nodes * sizeof *c->room);
}

static void run_all(const struct long_scan *c, cr_node out[]);

/* In graph b, length steps of operands x, cut on: the results in out. */
static void run_piece(const struct long_scan *c, cr_graph *b, int64_t length, const cr_node x[],
                      cr_node out[]) {
    struct long_scan inner = *c;
    inner.g = b, inner.x = x, inner.l.n = length, inner.cuts = c->cuts - 1;
    if (inner.cuts > 0) {
        if (begin(&inner)) run_all(&inner, out);
        end(&inner);
        return;
    }
    cr_node y =
        b->status ? graph_error_node(b) : control_loop(b, c->body, NULL, &inner.l, (int)c->body->n_in, x);
    for (uint32_t i = 0; i < c->body->n_out; i++) out[i] = cr_ok(y) ? cr_part(y, (int)i) : y;
}

static cr_function *new_piece(const struct long_scan *c, int64_t length) {
    cr_graph *b = cr_graph_new(c->g->ctx);
    cr_function *piece = NULL;
    const int n = (int)c->body->n_in;
    for (uint32_t i = 0; b && i < c->body->n_in; i++) c->in[i] = piece_input(c, b, i, length);
    if (b) run_piece(c, b, length, c->in, c->out);
    if (b && !b->status) cr_function_new(&piece, n, c->in, (int)c->body->n_out, c->out);
    if (piece && c->body->name && !function_set_name(piece, c->body->name, strlen(c->body->name), "_piece"))
        cr_function_free(piece), piece = NULL;
    if (!piece) graph_fail(c->g, b && b->status ? b->status : CR_ENOMEM, "scan", "%s", cr_graph_error(b));
    cr_graph_free(b);
    return piece;
}

/* The function that a piece of this length is, or NULL: an error, which g tells. */
static cr_function *piece_of(const struct long_scan *c, int64_t length) {
    struct made *m = c->made;
    for (int i = 0; i < m->n; i++)
        if (m->piece[i].length == length && m->piece[i].cuts == c->cuts) return m->piece[i].f;
    cr_function *f = new_piece(c, length);
    if (f) m->piece[m->n++] = (struct piece){length, c->cuts, f};
    return f;
}

/* `pieces` of this length from step `first` on, behind c->carry, as it is so far; ys: each result besides, a step in each row. */
static void run_pieces(const struct long_scan *c, int64_t first, int64_t pieces, int64_t length,
                       cr_node ys[]) {
    const int carry = (int)c->l.carry, xs = (int)c->l.xs, n = (int)c->body->n_in;
    cr_function *piece = piece_of(c, length);
    if (!piece) return;
    for (int i = 0; i < n; i++) c->in[i] = i < carry ? c->carry[i] : c->x[i];
    for (int i = carry; i < carry + xs; i++) {
        cr_node rows = ops_slice_axis(c->x[i], -cr_rank(c->x[i]), first, 1, pieces * length);
        struct shape s = ops_shape(rows);
        s.dim[0] = length;
        s = ops_lead(pieces, s);
        c->in[i] = ops_reshape(rows, &s);
    }
    cr_scan(c->out, piece, pieces, c->l.reverse != 0, carry, c->in, xs, c->in + carry, n - carry - xs,
            c->in + carry + xs);
    for (int i = 0; i < carry; i++) c->carry[i] = c->out[i];
    for (int i = carry; i < (int)c->body->n_out; i++) {
        struct shape s = ops_shape(c->out[i]);
        s.dim[1] *= pieces;
        for (int k = 0; k + 1 < s.rank; k++) s.dim[k] = s.dim[k + 1];
        s.rank -= s.rank > 0;
        ys[i - carry] = ops_reshape(c->out[i], &s);
    }
}

/* ---- All of them ---- */

/* n = pieces * length + more: so many are one step longer, and first. */
static void run_all(const struct long_scan *c, cr_node out[]) {
    const int carry = (int)c->l.carry, ys = loop_ys(c->body, &c->l);
    int64_t length = c->l.n / c->pieces, more = c->l.n % c->pieces;
    cr_node *front = c->carry + carry, *back = front + ys;
    for (int i = 0; i < carry; i++) c->carry[i] = c->x[i];
    for (int turn = 0; turn < 2; turn++) {
        bool longer = (turn == 0) != (c->l.reverse != 0);
        if (longer && more) run_pieces(c, 0, more, length + 1, front);
        if (!longer) run_pieces(c, more * (length + 1), c->pieces - more, length, back);
    }
    for (int i = 0; i < carry; i++) out[i] = c->carry[i];
    for (int i = 0; i < ys; i++)
        out[carry + i] = more ? cr_concat(2, (cr_node[]){front[i], back[i]}, 0) : back[i];
}

void control_in_pieces(cr_node out[], cr_graph *g, cr_function *body, const struct loop_attr *l, size_t bytes,
                       const cr_node x[]) {
    struct made made = {.n = 0};
    struct long_scan c = {.g = g, .body = body, .l = *l, .x = x, .made = &made};
    c.pieces = control_pieces(body, l, bytes, &c.cuts);
    if (begin(&c)) run_all(&c, out);
    for (uint32_t i = 0; i < body->n_out && g->status; i++) out[i] = graph_error_node(g);
    for (int i = 0; i < made.n; i++) cr_function_free(made.piece[i].f);
    end(&c);
}

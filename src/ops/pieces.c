/* A scan whose reverse mode keeps less: a scan of shorter scans. The way back through the outer one keeps the carry before each piece, and
 * runs the piece again. Cut L times, n steps keep L n^(1/L) carries and run L times more (Griewank 1992, "Achieving logarithmic growth
 * of temporal and spatial complexity in reverse automatic differentiation", of which this is the form with equal pieces). */
#include <stdio.h>
#include <string.h>

#include "ops/batch.h"
#include "ops/control.h"
#include "tensor/dtype.h"

/* A scan that is to be cut, its operands ready: carry, xs, constants. */
struct long_scan {
    cr_graph *g;
    cr_function *body;
    struct loop_attr l;
    const cr_node *x;
    cr_node *room, *in, *out, *made; /* one piece of memory */
    size_t nodes;
    size_t bytes; /* left for what is inside the pieces */
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

/* Each level has pieces of two lengths, so there may be twice as many functions as in the one above. Four pieces keep what two do in two
 * levels. */
enum { fewest = 4 };

int64_t control_pieces(const cr_function *body, const struct loop_attr *l, size_t bytes) {
    size_t row = carry_bytes(body, l);
    if (!row || l->n < 4 || bytes / row >= (uint64_t)l->n) return 1;
    int64_t rows = (int64_t)(bytes / row), s = l->n;
    for (int levels = 2; s > fewest; levels++) {
        s = root(l->n, levels);
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

/* The function that a piece is: length steps, cut again where the bytes ask for it. NULL: an error, which g tells. */
static cr_function *piece_of(const struct long_scan *c, int64_t length) {
    cr_graph *b = cr_graph_new(c->g->ctx);
    cr_function *piece = NULL;
    const int carry = (int)c->l.carry, xs = (int)c->l.xs, n = (int)c->body->n_in;
    for (uint32_t i = 0; b && i < c->body->n_in; i++) c->in[i] = piece_input(c, b, i, length);
    if (b && !cr_scan_within(c->out, c->bytes, c->body, length, c->l.reverse != 0, carry, c->in, xs,
                             c->in + carry, n - carry - xs, c->in + carry + xs))
        cr_function_new(&piece, n, c->in, (int)c->body->n_out, c->out);
    if (piece && c->body->name && !function_set_name(piece, c->body->name, strlen(c->body->name), "_piece"))
        cr_function_free(piece), piece = NULL;
    if (!piece) graph_fail(c->g, b && b->status ? b->status : CR_ENOMEM, "scan", "%s", cr_graph_error(b));
    cr_graph_free(b);
    return piece;
}

/* `pieces` of this length from step `first` on, behind c->made, the carry so far; ys: each result besides, a step in each row. */
static void run_pieces(const struct long_scan *c, int64_t first, int64_t pieces, int64_t length,
                       cr_node ys[]) {
    const int carry = (int)c->l.carry, xs = (int)c->l.xs, n = (int)c->body->n_in;
    cr_function *piece = piece_of(c, length);
    if (!piece) return;
    for (int i = 0; i < n; i++) c->in[i] = i < carry ? c->made[i] : c->x[i];
    for (int i = carry; i < carry + xs; i++) {
        cr_node rows = ops_slice_axis(c->x[i], -cr_rank(c->x[i]), first, 1, pieces * length);
        struct shape s = ops_shape(rows);
        s.dim[0] = length;
        s = ops_lead(pieces, s);
        c->in[i] = ops_reshape(rows, &s);
    }
    cr_scan(c->out, piece, pieces, c->l.reverse != 0, carry, c->in, xs, c->in + carry, n - carry - xs,
            c->in + carry + xs);
    for (int i = 0; i < carry; i++) c->made[i] = c->out[i];
    for (int i = carry; i < (int)c->body->n_out; i++) {
        struct shape s = ops_shape(c->out[i]);
        s.dim[1] *= pieces;
        for (int k = 0; k + 1 < s.rank; k++) s.dim[k] = s.dim[k + 1];
        s.rank -= s.rank > 0;
        ys[i - carry] = ops_reshape(c->out[i], &s);
    }
    cr_function_free(piece);
}

/* ---- All of them ---- */

/* n = pieces * length + more: so many are one step longer, and first. */
static void run_all(const struct long_scan *c, int64_t pieces, cr_node out[]) {
    const int carry = (int)c->l.carry, ys = loop_ys(c->body, &c->l);
    int64_t length = c->l.n / pieces, more = c->l.n % pieces;
    cr_node *front = c->made + carry, *back = front + ys;
    for (int i = 0; i < carry; i++) c->made[i] = c->x[i];
    for (int turn = 0; turn < 2; turn++) {
        bool longer = (turn == 0) != (c->l.reverse != 0);
        if (longer && more) run_pieces(c, 0, more, length + 1, front);
        if (!longer) run_pieces(c, more * (length + 1), pieces - more, length, back);
    }
    for (int i = 0; i < carry; i++) out[i] = c->made[i];
    for (int i = 0; i < ys; i++)
        out[carry + i] = more ? cr_concat(2, (cr_node[]){front[i], back[i]}, 0) : back[i];
}

void control_in_pieces(cr_node out[], cr_graph *g, cr_function *body, const struct loop_attr *l, size_t bytes,
                       const cr_node x[]) {
    const size_t results = body->n_out, operands = body->n_in;
    struct long_scan c = {.g = g, .body = body, .l = *l, .x = x, .nodes = operands + 3 * results + 1};
    int64_t pieces = control_pieces(body, l, bytes);
    size_t starts = mem_mul((size_t)pieces, carry_bytes(body, l));
    c.bytes = bytes > starts ? bytes - starts : 0;
    c.room = mem_zero(&g->mem, mem_mul(c.nodes, sizeof *c.room));
    c.in = c.room, c.out = c.room + operands, c.made = c.out + results;
    if (c.room) run_all(&c, pieces, out);
    else graph_fail(g, CR_ENOMEM, NULL, "out of memory");
    for (size_t i = 0; i < results && g->status; i++) out[i] = graph_error_node(g);
    if (c.room) mem_free(&g->mem, c.room, c.nodes * sizeof *c.room);
}

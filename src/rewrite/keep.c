/* What the way back of a loop computes again of each step. A gradient's loop has what carries were before each step, and computes the step's functions
 * from them once more. Where that is little memory they are results of the loop forward, and rows of the one back: a load in place of a function, and of
 * all that only the function needed. The same numbers: no bit changes. */
#include "rewrite/keep.h"

#include <stdio.h>
#include <string.h>

#include "graph/copy.h"
#include "ops/control.h"
#include "tensor/dtype.h"

enum { most_bytes = 16 << 20, most_kept = rewrite_most_kept };

/* Two loops in the making: which functions of the forward one's body are kept. */
struct pairing {
    const cr_graph *g;
    uint32_t forward, back;
    struct loop_attr f, b;
    cr_function *body, *way_back;
    cr_graph *
        made; /* a copy of the way back's body, in which the body is built again: what is there already is the same */
    uint32_t *of_body, *of_back; /* by node: where it stands in there */
    uint8_t *moves;              /* by node of the body: it is another in each step */
    uint32_t kept[most_kept];    /* nodes of the body */
    size_t n;
};

static uint32_t operand(const struct pairing *p, uint32_t loop, uint32_t k) {
    return graph_args(p->g, graph_at(p->g, loop))[k];
}

/* Which operand of the way back is what the body's operand i was in this step; -1: none. */
static int64_t same_operand(const struct pairing *p, uint32_t i) {
    const int64_t consts = p->b.carry + p->b.xs, first = p->f.counted != 0, from = p->b.counted != 0;
    const bool carry = i < p->f.carry, row = !carry && i < p->f.carry + p->f.xs;
    const uint32_t x = operand(p, p->forward, (uint32_t)(first + i));
    for (int64_t k = carry || row ? p->b.carry : consts; k < (carry || row ? consts : p->way_back->n_in);
         k++) {
        const uint32_t y = operand(p, p->back, (uint32_t)(from + k));
        const struct node *n = graph_at(p->g, y);
        if (!carry && y == x) return k;
        if (carry && n->op == OP_part && n->arg[0] == p->forward &&
            graph_attr(p->g, n)[0] == loop_kept(p->body) + (int64_t)i)
            return k;
    }
    return -1;
}

static void start(struct pairing *p) {
    const cr_function *f = p->body;
    for (uint32_t i = 0; i < f->n_in; i++) {
        const int64_t k = same_operand(p, i);
        p->moves[f->in[i]] = i < p->f.carry + p->f.xs;
        if (k >= 0) p->of_body[f->in[i]] = p->of_back[p->way_back->in[k]];
    }
}

/* Which of its results beside carries a node is; -1: none. */
static int64_t result_of(const struct pairing *p, uint32_t id) {
    for (int64_t i = p->f.carry; i < p->body->n_out; i++)
        if (p->body->out[i] == id) return i;
    return -1;
}

static size_t bytes_of(const cr_graph *g, const struct node *n) {
    return mem_mul((size_t)graph_elements(g, n), cr_dtype_size((cr_dtype)n->dtype));
}

/* Builds the body again, as far as its operands are known: what makes no new node is computed by both. */
static void find_kept(struct pairing *p) {
    const cr_function *f = p->body;
    size_t bytes = 0;
    for (uint32_t id = 1; id < f->g->count && !p->made->status; id++) {
        const struct node *n = graph_at(f->g, id);
        const uint32_t *x = graph_args(f->g, n), count = p->made->count;
        bool known = n->op != OP_input && n->op != OP_param && n->op != OP_variable;
        for (uint32_t k = 0; k < n->n; k++) {
            known = known && p->of_body[x[k]];
            p->moves[id] |= p->moves[x[k]];
        }
        if (!known) continue;
        uint32_t there = graph_copy_node(p->made, f->g, id, p->of_body).id;
        if (there >= count) continue;
        p->of_body[id] = there;
        if (!p->moves[id] || !ops_is_function(n->op, 1))
            continue; /* no power: its products are soon made again */
        if (result_of(p, id) < 0) bytes = mem_add(bytes, mem_mul(bytes_of(f->g, n), (size_t)p->f.n));
        if (bytes > most_bytes || p->n == most_kept) return;
        p->kept[p->n++] = id;
    }
}

/* ---- The two bodies ---- */

static cr_function *with_results(const struct pairing *p, struct kept_loop *k) {
    const cr_function *f = p->body;
    size_t n = f->n_out;
    const size_t bytes = mem_mul(f->n_in + n + p->n, sizeof(cr_node));
    cr_node *x = mem_alloc(&p->g->mem, bytes), *y = x ? x + f->n_in : NULL;
    cr_function *made = NULL;
    if (!x) return NULL;
    for (uint32_t i = 0; i < f->n_in; i++) x[i] = graph_handle(f->g, f->in[i]);
    for (uint32_t i = 0; i < f->n_out; i++) y[i] = graph_handle(f->g, f->out[i]);
    for (size_t i = 0; i < p->n; i++) {
        const int64_t result = result_of(p, p->kept[i]);
        k->part[i] = (int)(result < 0 ? (int64_t)n : result);
        if (result < 0) y[n++] = graph_handle(f->g, p->kept[i]);
    }
    k->more = n - f->n_out;
    cr_function_new(&made, (int)f->n_in, x, (int)n, y);
    mem_free(&p->g->mem, x, bytes);
    return made;
}

static cr_node leaf(cr_graph *g, const char *name, const cr_graph *from, uint32_t id) {
    const struct node *n = graph_at(from, id);
    return cr_input(g, name, (cr_dtype)n->dtype, graph_rank(from, n), graph_dims(from, n));
}

static cr_node kept_leaf(const struct pairing *p, cr_graph *g, size_t i) {
    char name[48];
    for (unsigned k = 0;; k++) {
        const int n = snprintf(name, sizeof name, "kept%zu.%u", i, k);
        const uint32_t text = intern_find(&p->made->text, name, (size_t)n);
        if (text == intern_none || !graph_named(p->made, text)) break;
    }
    return leaf(g, name, p->body->g, p->kept[i]);
}

/* x: the inputs; behind them room for the results. */
static void build_with_rows(const struct pairing *p, cr_graph *g, uint32_t *map, cr_node x[]) {
    const cr_function *b = p->way_back;
    const size_t rows = (size_t)(p->b.carry + p->b.xs);
    for (size_t i = 0; i < b->n_in; i++) {
        const uint32_t id = p->of_back[b->in[i]];
        cr_node y = leaf(g, graph_text(p->made, (uint32_t)graph_attr(p->made, graph_at(p->made, id))[0]),
                         p->made, id);
        x[i < rows ? i : i + p->n] = y;
        map[id] = y.id;
    }
    for (size_t i = 0; i < p->n; i++) {
        x[rows + i] = kept_leaf(p, g, i);
        map[p->of_body[p->kept[i]]] = x[rows + i].id;
    }
    for (uint32_t id = 1; id < p->made->count && !g->status; id++)
        if (!map[id] && graph_at(p->made, id)->op != OP_input)
            map[id] = graph_copy_node(g, p->made, id, map).id;
    for (uint32_t i = 0; i < b->n_out; i++)
        x[b->n_in + p->n + i] = graph_handle(g, map[p->of_back[b->out[i]]]);
}

static cr_function *with_rows(const struct pairing *p) {
    const cr_function *b = p->way_back;
    const struct mem *m = &p->g->mem;
    const size_t ports = b->n_in + b->n_out + p->n, count = p->made->count;
    cr_graph *g = cr_graph_new(p->g->ctx);
    cr_node *x = mem_zero(m, mem_mul(ports, sizeof *x));
    uint32_t *map = mem_zero(m, mem_mul(count, sizeof *map));
    cr_function *made = NULL;
    if (g && x && map) {
        g->default_float = p->made->default_float;
        build_with_rows(p, g, map, x);
        if (!g->status) cr_function_new(&made, (int)(b->n_in + p->n), x, (int)b->n_out, x + b->n_in + p->n);
    }
    mem_free(m, map, count * sizeof *map);
    mem_free(m, x, ports * sizeof *x);
    cr_graph_free(g);
    return made;
}

/* ---- Which loops ---- */

static const struct node *loop_at(const cr_graph *g, uint32_t id) {
    const struct node *n = graph_at(g, id);
    return n->op == OP_scan && !control_function(g, n, 0)->callback ? n : NULL;
}

/* The loop whose carries a loop has as rows, from the last to the first; 0: none. */
static uint32_t forward_of(const cr_graph *g, uint32_t back) {
    const struct node *n = loop_at(g, back);
    if (!n) return 0;
    const struct loop_attr b = loop_attr(g, n);
    for (int64_t k = 0; k < b.xs; k++) {
        const struct node *x = graph_at(g, graph_args(g, n)[(b.counted != 0) + b.carry + k]);
        if (x->op != OP_part || !loop_at(g, x->arg[0])) continue;
        const struct loop_attr f = loop_attr(g, graph_at(g, x->arg[0]));
        const cr_function *body = control_function(g, graph_at(g, x->arg[0]), 0);
        const int64_t part = graph_attr(g, x)[0];
        if (part >= loop_kept(body) && part < loop_count(body, &f) && f.n == b.n && f.n > 0 &&
            !f.reverse != !b.reverse)
            return x->arg[0];
    }
    return 0;
}

/* What is made anew is still what its author calls it. */
static bool call_as(cr_function *made, const cr_function *f) {
    return made && (!f->name || function_set_name(made, f->name, strlen(f->name), ""));
}

static bool look(struct pairing *p, struct kept_loop *k) {
    const struct mem *m = &p->g->mem;
    const size_t body = p->body->g->count, back = p->way_back->g->count;
    p->of_body = mem_zero(m, mem_mul(body, sizeof *p->of_body));
    p->moves = mem_zero(m, body);
    p->of_back = mem_zero(m, mem_mul(back, sizeof *p->of_back));
    const size_t roots = (size_t)p->way_back->n_in + p->way_back->n_out;
    uint32_t *root = mem_alloc(m, mem_mul(roots, sizeof *root));
    bool ok = p->of_body && p->moves && p->of_back && root;
    for (size_t i = 0; ok && i < roots; i++)
        root[i] = i < p->way_back->n_in ? p->way_back->in[i] : p->way_back->out[i - p->way_back->n_in];
    p->made =
        ok ? graph_copy(p->way_back->g, &(struct copy_wish){.n = roots, .root = root}, p->of_back) : NULL;
    if (p->made) {
        start(p);
        find_kept(p);
        ok = !p->made->status;
        *k = (struct kept_loop){.forward = p->forward, .back = p->back, .n = p->n};
        if (ok && p->n) k->with_results = with_results(p, k), k->with_rows = with_rows(p);
        ok = ok && (!p->n || (call_as(k->with_results, p->body) && call_as(k->with_rows, p->way_back)));
        if (!ok) cr_function_free(k->with_results), cr_function_free(k->with_rows);
    } else ok = false;
    mem_free(m, root, roots * sizeof *root);
    mem_free(m, p->of_body, body * sizeof *p->of_body);
    mem_free(m, p->moves, body);
    mem_free(m, p->of_back, back * sizeof *p->of_back);
    cr_graph_free(p->made);
    return ok;
}

static bool is_paired(const struct keeper *k, uint32_t loop) {
    for (size_t i = 0; i < k->n; i++)
        if (k->loop[i].forward == loop || k->loop[i].back == loop) return true;
    return false;
}

bool rewrite_find_kept(struct keeper *k, const cr_graph *g) {
    bool ok = true;
    *k = (struct keeper){.mem = g->mem};
    for (uint32_t id = 1; id < g->count && ok; id++) {
        const uint32_t forward = forward_of(g, id);
        if (!forward || is_paired(k, forward) || is_paired(k, id)) continue;
        struct pairing p = {.g = g,
                            .forward = forward,
                            .back = id,
                            .f = loop_attr(g, graph_at(g, forward)),
                            .b = loop_attr(g, graph_at(g, id)),
                            .body = control_function(g, graph_at(g, forward), 0),
                            .way_back = control_function(g, graph_at(g, id), 0)};
        struct kept_loop found;
        ok = mem_grow(&k->mem, &k->loop, &k->cap, k->n, sizeof *k->loop) && look(&p, &found);
        if (ok && found.n) k->loop[k->n++] = found;
    }
    return ok;
}

void rewrite_drop_kept(struct keeper *k) {
    for (size_t i = 0; i < k->n; i++) {
        cr_function_free(k->loop[i].with_results);
        cr_function_free(k->loop[i].with_rows);
    }
    mem_free(&k->mem, k->loop, k->cap * sizeof *k->loop);
}

/* ---- In a copy of the graph ---- */

static cr_node forward_again(const struct kept_loop *k, cr_node y) {
    const struct node *n = graph_get(y);
    struct loop_attr l = loop_attr(y.graph, n);
    cr_node *x = mem_alloc(&y.graph->mem, mem_mul(n->n, sizeof *x));
    if (!x) return graph_fail(y.graph, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t i = 0; i < n->n; i++) x[i] = cr_operand(y, (int)i);
    cr_node made = control_loop(y.graph, k->with_results, control_function(y.graph, n, 1), &l, (int)n->n, x);
    mem_free(&y.graph->mem, x, graph_get(y)->n * sizeof *x);
    return made;
}

static cr_node back_again(const struct kept_loop *k, cr_node y) {
    const struct node *n = graph_get(y);
    struct loop_attr l = loop_attr(y.graph, n);
    const uint32_t count = n->n, rows = (uint32_t)((l.counted != 0) + l.carry + l.xs), kept = (uint32_t)k->n;
    cr_node *x = mem_alloc(&y.graph->mem, mem_mul(count + kept, sizeof *x));
    if (!x) return graph_fail(y.graph, CR_ENOMEM, NULL, "out of memory");
    for (uint32_t i = 0; i < count; i++) x[i < rows ? i : i + kept] = cr_operand(y, (int)i);
    for (uint32_t i = 0; i < kept; i++) x[rows + i] = cr_part(k->now_forward, k->part[i]);
    l.xs += kept;
    cr_node made = control_loop(y.graph, k->with_rows, NULL, &l, (int)(count + kept), x);
    mem_free(&y.graph->mem, x, (count + kept) * sizeof *x);
    return made;
}

/* Parts of a loop that has been copied are those of the one in its place. */
static cr_node part_again(const struct keeper *k, cr_node y) {
    const cr_node loop = cr_operand(y, 0);
    const int part = (int)graph_attr(y.graph, graph_get(y))[0];
    for (size_t i = 0; i < k->n; i++) {
        const struct kept_loop *l = &k->loop[i];
        if (l->copied_back == loop.id) return cr_part(l->now_back, part);
        if (l->copied_forward != loop.id) continue;
        const int results = (int)(l->with_results->n_out - l->more);
        return cr_part(l->now_forward, part < results ? part : part + (int)l->more);
    }
    return y;
}

void rewrite_keep_before(void *keeper, uint32_t id, uint32_t *map) {
    (void)map;
    ((struct keeper *)keeper)->id = id;
}

cr_node rewrite_keep_instead(void *keeper, cr_node y) {
    struct keeper *k = keeper;
    if (graph_get(y)->op == OP_part) return part_again(k, y);
    for (size_t i = 0; i < k->n; i++) {
        struct kept_loop *l = &k->loop[i];
        if (k->id == l->forward) l->copied_forward = y.id, l->now_forward = forward_again(l, y);
        if (k->id == l->back) l->copied_back = y.id, l->now_back = back_again(l, y);
    }
    return y;
}

/* A small product and the loop behind it as one: what a tile of the product comes to goes from its registers through the loop's body to
 * what the loop gives, and the product is never in memory (bias and activation of a dense layer). Each number is computed as by two steps. */
#include "emit/units.h"

#include <stdio.h>

static bool overlap(const struct slot *a, const struct slot *b) {
    return a->kind == SLOT_WORK && b->kind == SLOT_WORK && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

/* Does the loop write where later rows of the product are still to be computed from? */
static bool writes_operands(const struct emitter *e, const struct step *product, const struct step *loop) {
    const struct plan *p = e->p;
    const uint32_t *operand = graph_at(e->g, p->node[product->first])->arg;
    for (uint32_t i = 0; i < loop->n; i++) {
        const uint32_t to = p->view[p->node[loop->first + i]].slot;
        for (int k = 0; k < 2 && to != no_slot; k++) {
            const uint32_t from = p->view[operand[k]].slot;
            if (from == to || overlap(&p->slot[from], &p->slot[to])) return true;
        }
    }
    return false;
}

/* Is the product read as it stands, wherever the loop reads it? */
static bool reads_in_order(const struct emitter *e, const struct step *loop, uint32_t slot) {
    const struct plan *p = e->p;
    for (uint32_t i = 0; i < loop->n; i++) {
        const struct node *n = graph_at(e->g, p->node[loop->first + i]);
        for (uint32_t k = 0; k < n->n; k++) {
            const uint32_t x = n->arg[k];
            if (plan_made_here(p, loop, x) >= 0 || p->view[x].slot != slot) continue;
            if (!plan_contiguous(p, x) || p->view[x].offset ||
                graph_elements(e->g, graph_at(e->g, x)) != graph_elements(e->g, n))
                return false;
        }
    }
    return true;
}

static bool fits(const struct emitter *e, size_t s, const struct loop loop[],
                 const struct kernel_units units[]) {
    enum { vector = 8 };
    const struct plan *p = e->p;
    if (s + 1 >= p->steps || !units[s].made || !units[s + 1].made) return false;
    const struct step *product = &p->step[s], *next = &p->step[s + 1];
    if (!emit_is_small_product(e, product) || next->kind != STEP_LOOP ||
        !emit_is_small(e, s + 1, &loop[s + 1]) || next->lines || next->rows_too ||
        next->tail != product->tail)
        return false;
    const struct node *n = graph_at(e->g, p->node[product->first]);
    const int64_t *dim = graph_dims(e->g, n);
    const uint32_t to = p->view[p->node[product->first]].slot;
    return graph_rank(e->g, n) == 2 && dim[0] > 1 && dim[1] % vector == 0 &&
           loop[s + 1].count == dim[0] * dim[1] && p->slot[to].kind == SLOT_WORK &&
           p->slot[to].last == s + 1 && p->slot[to].bytes == plan_node_bytes(p->g, p->node[product->first]) &&
           reads_in_order(e, next, to) && !writes_operands(e, product, next);
}

/* The loop's body for rows of a panel. */
static void write_then(struct units_of *u, size_t number, uint32_t slot, const int64_t dim[]) {
    struct emitter *e = u->l.e;
    char type[80];
    const char *t = units_type(e, e->p->slot[slot].node, type);
    const uint32_t name = emit_reserve(e, "made");
    nest_forget(&u->l);
    char takes[160];
    snprintf(takes, sizeof takes,
             ", int64_t at_row, int64_t at, const int rows, const int columns, const %s *panel", t);
    emit_open_on_slots(
        e, u->l.s, &(struct on_slots){"ALWAYS", "void", "then", takes, ", at_row, at, rows, columns, panel"},
        number);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const struct node *n = graph_at(e->g, nest_node(&u->l, i));
        for (uint32_t k = 0; k < n->n; k++)
            if (plan_made_here(e->p, u->l.s, n->arg[k]) < 0 && e->p->view[n->arg[k]].slot == slot)
                e->local[n->arg[k]] = name;
    }
    emit_open(e, "UNROLL for (int of_row = 0; of_row < rows; of_row++)");
    if (e->nest.n == 2) emit_line(e, "const int64_t i = at_row + of_row;");
    units_read_repeated(u, 0, false);
    emit_open(e, "VECTOR for (int lane = 0; lane < columns; lane++)");
    if (e->nest.n == 1)
        emit_line(e, "const int64_t i = (at_row + of_row) * %lld + at + lane;", (long long)dim[1]);
    else emit_line(e, "const int64_t j = at + lane;");
    emit_line(e, "const %s %s = panel[of_row * columns + lane];", t, emit_reserved(e, name));
    units_body(u, 0);
    emit_close(e);
    emit_close(e);
    emit_close(e);
}

bool emit_then(struct emitter *e, size_t s, const struct loop loop[], const struct kernel_units units[]) {
    if (!fits(e, s, loop, units)) return false;
    const struct step *product = &e->p->step[s], *next = product + 1;
    const uint32_t id = e->p->node[product->first];
    const int64_t *dim = graph_dims(e->g, graph_at(e->g, id));
    struct units_of u = {.l = {.e = e, .s = next}, .loop = &loop[s + 1], .columns = 1};
    nest_make(&u.l);
    e->nest.rows = 0;
    if (units_looks(&u) || e->nest.n > 2 || (e->nest.n == 2 && e->nest.axis[1].size != dim[1])) return false;
    write_then(&u, s + 1, e->p->view[id].slot, dim);
    emit_open_on_slots(e, product, &(struct on_slots){"static", "void", "both", "", ""}, s);
    e->then = s + 1;
    emit_small_product(e, product);
    e->then = 0;
    emit_close(e);
    return true;
}

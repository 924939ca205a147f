/* Which loops are compiled, and which of them in two ways. */
#include "emit/units.h"

/* sin and cos call the C library for large numbers alone, by a branch that would keep a loop from becoming vectors. So units run
 * as if there were none, and note the largest; where it is too large, or no number, they run again, with the branch. */
bool units_looks(const struct units_of *u) {
    if (u->loop->count <= 256) return false;
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (units_instruction(u, i)->kind != DO_NARROW && emit_has_far(units_instruction(u, i)->op))
            return true;
    return false;
}

/* Is it a few sums and products? */
static bool is_light(const struct units_of *u) {
    for (uint32_t i = 0; i < u->l.s->n; i++) switch (units_instruction(u, i)->op) {
        case OP_add:
        case OP_sub:
        case OP_mul:
        case OP_neg:
        case OP_square: break;
        default: return false;
        }
    return u->l.s->n <= 8;
}

/* The built-in way computes whole tiles, which short lines do not break: it keeps loops over many of them, unless reading
 * what repeats or is strided into tiles is most of their work. */
static bool too_short(const struct units_of *u) {
    const struct nest *n = &u->l.e->nest;
    int64_t inner = n->n ? n->axis[n->n - 1].size : 1, least = is_light(u) ? 4 : 16;
    if (n->n == n->rows && n->n) inner = 1;
    return inner < least && u->loop->count > 256 && !units_short_pays(u);
}

/* Do units come to the same when they run again? */
static bool can_repeat(const struct units_of *u) {
    const struct plan *p = u->l.e->p;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        uint32_t slot = p->view[nest_node(&u->l, i)].slot;
        if (slot != no_slot && units_read(u, slot)) return false;
    }
    return true;
}

bool units_can_be(const struct units_of *u) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (units_instruction(u, i)->kind == FOLD_PART && units_columns(u) != 1) return false;
    return u->loop->count > 0 && !(u->columns > 1 && units_columns(u) != 1) && !too_short(u) &&
           (!units_looks(u) || can_repeat(u));
}

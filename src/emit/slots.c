/* Compiled loops: where the slots stand that a step reads and writes. */
#include "emit/units.h"

bool units_write(const struct emitter *e, const struct step *s, uint32_t slot) {
    for (uint32_t i = 0; i < s->n; i++)
        if (e->p->view[e->p->node[s->first + i]].slot == slot) return true;
    return false;
}

/* The slots that a step reads or writes, each once: those of its nodes, then those of their operands. */
static void declare_slot(struct emitter *e, const struct step *s, uint32_t slot, struct slots_seen *seen) {
    char type[80];
    if (slot == no_slot) return;
    for (size_t i = 0; i < seen->n; i++)
        if (seen->slot[i] == slot) return;
    if (seen->n == sizeof seen->slot / sizeof *seen->slot) {
        emit_refuse(e, "too many slots");
        return;
    }
    seen->slot[seen->n++] = slot;
    uint32_t node = e->p->slot[slot].node;
    const struct node *n = graph_at(e->g, node);
    const char *constant = units_write(e, s, slot) ? "" : "const ";
    if (n->op == OP_iota) return;
    const char *t = units_type(e, node, type);
    emit_line(e, "%s%s *const restrict %s = (%s%s *)(void *)slot[%lu];", constant, t, emit_name(e, node),
              constant, t, (unsigned long)slot);
    if (!ops_has_parts(n->op)) return;
    t = emit_type(e, ops_part_dtype(e->g, n, 1), type);
    emit_line(e, "%s%s *const restrict %s = (%s%s *)(void *)(slot[%lu] + %zu);", constant, t,
              emit_second_name(e, node), constant, t, (unsigned long)slot, ops_part_offset(e->g, n, 1, 0));
}

void emit_declare_slots(struct emitter *e, const struct step *s) {
    struct slots_seen seen = {.n = 0};
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t id = e->p->node[s->first + i];
        const struct node *n = graph_at(e->g, id);
        declare_slot(e, s, e->p->view[id].slot, &seen);
        for (uint32_t k = 0; k < n->n; k++)
            declare_slot(e, s, e->p->view[graph_args(e->g, n)[k]].slot, &seen);
    }
}

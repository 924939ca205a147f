/* Compiled loops: where the slots stand that a step reads and writes. */
#include "emit/units.h"

#include <stdio.h>
#include <string.h>

bool units_write(const struct emitter *e, const struct step *s, uint32_t slot) {
    for (uint32_t i = 0; i < s->n; i++)
        if (e->p->view[e->p->node[s->first + i]].slot == slot) return true;
    return false;
}

/* The slots that a step reads or writes, each once: those of its nodes, then those of their operands. As "const float *const restrict x",
 * and where they stand, "(const float *)(void *)slot[1]". */
struct writing {
    struct slots_seen seen;
    struct cr_text pointer, place; /* each begun by a comma */
    bool lines;                    /* else declarations, in lines of their own */
};

static void one_pointer(struct emitter *e, struct writing *w, const char *constant, const char *type,
                        const char *name, unsigned long slot, size_t offset) {
    char place[160];
    if (offset)
        snprintf(place, sizeof place, "(%s%s *)(void *)(slot[%lu] + %zu)", constant, type, slot, offset);
    else snprintf(place, sizeof place, "(%s%s *)(void *)slot[%lu]", constant, type, slot);
    if (w->lines) emit_line(e, "%s%s *const restrict %s = %s;", constant, type, name, place);
    else {
        text_add(&w->pointer, ", %s%s *const restrict %s", constant, type, name);
        text_add(&w->place, ", %s", place);
    }
}

static void write_slot(struct emitter *e, const struct step *s, uint32_t slot, struct writing *w) {
    char type[80];
    struct slots_seen *seen = &w->seen;
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
    one_pointer(e, w, constant, units_type(e, node, type), emit_name(e, node), slot, 0);
    if (!ops_has_parts(n->op)) return;
    one_pointer(e, w, constant, emit_type(e, ops_part_dtype(e->g, n, 1), type), emit_second_name(e, node),
                slot, ops_part_offset(e->g, n, 1, 0));
}

static void write_slots(struct emitter *e, const struct step *s, struct writing *w) {
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t id = e->p->node[s->first + i];
        const struct node *n = graph_at(e->g, id);
        write_slot(e, s, e->p->view[id].slot, w);
        for (uint32_t k = 0; k < n->n; k++) write_slot(e, s, e->p->view[graph_args(e->g, n)[k]].slot, w);
    }
}

void emit_declare_slots(struct emitter *e, const struct step *s) {
    struct writing w = {.lines = true};
    write_slots(e, s, &w);
}

void emit_open_on_slots(struct emitter *e, const struct step *s, const struct on_slots *f, size_t number) {
    struct writing w = {.pointer = text_make(&e->mem), .place = text_make(&e->mem)};
    write_slots(e, s, &w);
    if (w.pointer.failed || w.place.failed) e->status = CR_ENOMEM;
    const char *pointer = w.pointer.n && !e->status ? w.pointer.s : "",
               *place = w.place.n && !e->status ? w.place.s : "",
               *gives = strcmp(f->type, "void") ? "return " : "";
    emit_line(e, "ALWAYS %s %s_on_%zu(char *const slot[]%s%s);", f->type, f->name, number, f->takes, pointer);
    emit_open(e, "%s %s %s_%zu(char *const slot[]%s)", f->kind, f->type, f->name, number, f->takes);
    emit_line(e, "%s%s_on_%zu(slot%s%s);", gives, f->name, number, f->given, place);
    emit_close(e);
    emit_open(e, "ALWAYS %s %s_on_%zu(char *const slot[]%s%s)", f->type, f->name, number, f->takes, pointer);
    text_drop(&w.pointer);
    text_drop(&w.place);
}

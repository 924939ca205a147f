/* Compiled loops: where the slots stand that a step reads and writes. */
#include "emit/units.h"

#include <stdio.h>
#include <string.h>

bool units_write(const struct emitter *e, const struct step *s, uint32_t slot) {
    for (uint32_t i = 0; i < s->n; i++)
        if (e->p->view[e->p->node[s->first + i]].slot == slot) return true;
    return false;
}

/* The slots that a step reads or writes, each once: those of its nodes, then those of their operands. As declarations
 * "    const float *const restrict x = (const float *)(void *)slot[1];", as parameters ", const float *const restrict x" and as what is given for
 * those, ", (const float *)(void *)slot[1]". */
struct slots_written {
    struct slots_seen seen;
    struct cr_text declared, taken, given;
};

static void write_pointer(struct slots_written *w, const char *type, const char *name, const char *place) {
    text_add(&w->declared, "    %s *const restrict %s = (%s *)(void *)%s;\n", type, name, type, place);
    text_add(&w->taken, ", %s *const restrict %s", type, name);
    text_add(&w->given, ", (%s *)(void *)%s", type, place);
}

static void write_slot(struct emitter *e, const struct step *s, uint32_t slot, struct slots_written *w) {
    char room[80], type[96], place[64];
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
    snprintf(type, sizeof type, "%s%s", constant, units_type(e, node, room));
    snprintf(place, sizeof place, "slot[%lu]", (unsigned long)slot);
    write_pointer(w, type, emit_name(e, node), place);
    if (!ops_has_parts(n->op)) return;
    snprintf(type, sizeof type, "%s%s", constant, emit_type(e, ops_part_dtype(e->g, n, 1), room));
    snprintf(place, sizeof place, "(slot[%lu] + %zu)", (unsigned long)slot, ops_part_offset(e->g, n, 1, 0));
    write_pointer(w, type, emit_second_name(e, node), place);
}

static void write_slots(struct emitter *e, const struct step *s, struct slots_written *w) {
    *w = (struct slots_written){
        .declared = text_make(&e->mem), .taken = text_make(&e->mem), .given = text_make(&e->mem)};
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t id = e->p->node[s->first + i];
        const struct node *n = graph_at(e->g, id);
        write_slot(e, s, e->p->view[id].slot, w);
        for (uint32_t k = 0; k < n->n; k++) write_slot(e, s, e->p->view[graph_args(e->g, n)[k]].slot, w);
    }
}

static void drop_slots(struct emitter *e, struct slots_written *w) {
    text_end(&w->declared, e->out);
    text_end(&w->taken, e->out);
    text_end(&w->given, e->out);
}

static const char *words_of(const struct cr_text *t) { return t->s && !t->failed ? t->s : ""; }

void emit_declare_slots(struct emitter *e, const struct step *s) {
    struct slots_written w;
    write_slots(e, s, &w);
    text_str(e->out, words_of(&w.declared));
    drop_slots(e, &w);
}

void emit_open_on_slots(struct emitter *e, const struct step *s, const struct on_slots *f, size_t number) {
    struct slots_written w;
    write_slots(e, s, &w);
    const char *taken = words_of(&w.taken), *gives = strcmp(f->type, "void") ? "return " : "";
    text_str(e->out, "#ifdef SLOTS_TAKEN\n");
    emit_line(e, "ALWAYS %s %s_on_%zu(char *const slot[]%s%s);", f->type, f->name, number, f->takes, taken);
    emit_open(e, "%s %s %s_%zu(char *const slot[]%s)", f->kind, f->type, f->name, number, f->takes);
    emit_line(e, "%s%s_on_%zu(slot%s%s);", gives, f->name, number, f->given, words_of(&w.given));
    emit_close(e);
    emit_line(e, "ALWAYS %s %s_on_%zu(char *const slot[]%s%s) {", f->type, f->name, number, f->takes, taken);
    text_str(e->out, "#else\n");
    emit_open(e, "%s %s %s_%zu(char *const slot[]%s)", f->kind, f->type, f->name, number, f->takes);
    text_str(e->out, words_of(&w.declared));
    text_str(e->out, "#endif\n");
    drop_slots(e, &w);
}

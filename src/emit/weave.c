/* The last pass over a row, which waits for memory, woven into the pass of the next row that computes most: behind lanes of that one stand lanes of
 * this. What it needs of its row is carried to the next, and rooms of a row are two, in turns. No bit of a result changes. */
#include <stdio.h>

#include "base/whole.h"
#include "emit/units.h"
#include "tensor/dtype.h"

/* ---- Which loops ---- */

static bool carry(struct weave *w, uint32_t x) {
    for (int k = 0; k < w->n; k++)
        if (w->node[k] == x) return true;
    if (w->n == carried_most) return false;
    w->node[w->n++] = x;
    return true;
}

static bool carry_all(struct units_of *u) {
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, i));
        if (nest_pass(&u->l, i) == u->weave.late && nest_role(&u->l, nest_node(&u->l, i)) != ROLE_WIDE)
            return false;
        for (uint32_t k = 0; k < n->n && nest_in_pass(&u->l, i, u->weave.late); k++) {
            uint32_t named;
            if (nest_is_of_row(&u->l, n->arg[k], &named) && !carry(&u->weave, named)) return false;
        }
    }
    return true;
}

/* In whole rows, of which the second cache holds two with their rooms; and where lanes stand in one register. */
void units_choose_woven(struct units_of *u) {
    struct weave *w = &u->weave;
    const bool rows = u->folds && !u->blocks && u->columns == 1 && plan_whole_rows(u->l.s);
    *w = (struct weave){.late = plan_passes(u->l.e->p, u->l.s) - 1, .host = units_heaviest_pass(u)};
    if (!rows || u->loop->diagonal || units_columns(u) != 1 || units_looks(u) || w->host >= w->late) return;
    if (!units_lanes_are_one_vector() || !units_stream_in(u, w->late) || !units_in_stages(u, w->host) ||
        units_in_fours(u, w->host))
        return;
    /* the other room stands elsewhere in its page (part_rooms) */
    w->room = (size_t)pieces((int64_t)nest_rooms(&u->l), memory_page) * memory_page + part_of_page;
    w->on = units_two_rows_fit(u) && carry_all(u);
}

bool units_is_late(const struct units_of *u, int pass) { return u->weave.on && pass == u->weave.late; }
bool units_is_host(const struct units_of *u, int pass) { return u->weave.on && pass == u->weave.host; }

/* ---- What is carried ---- */

void units_declare_carried(struct units_of *u) {
    struct emitter *e = u->l.e;
    char type[80], name[96];
    if (!u->weave.on) return;
    emit_line(e, "char *room = row, *late_room = row + %zu;", u->weave.room);
    emit_line(e, "int64_t late_row = -1;");
    for (int k = 0; k < u->weave.n; k++) {
        snprintf(name, sizeof name, "late_%.80s", emit_name(e, u->weave.node[k]));
        u->weave.name[k] = emit_reserve(e, name);
        emit_line(e, "%s %s = 0;", units_type(e, u->weave.node[k], type), emit_reserved(e, u->weave.name[k]));
    }
}

static void declare_rooms(struct units_of *u, const char *room) {
    struct emitter *e = u->l.e;
    const size_t before = e->rows_now;
    emit_line(e, "char *const row = %s;", room);
    e->rows_now = 0; /* from `row` */
    nest_declare_rows(&u->l);
    e->rows_now = before;
}

void units_declare_rooms(struct units_of *u) {
    if (u->weave.on) declare_rooms(u, "room");
}

/* At the place of the last pass: its row is the late one from now on. */
void units_carry_on(struct units_of *u) {
    struct emitter *e = u->l.e;
    units_read_repeated(u, u->weave.late, false);
    for (int k = 0; k < u->weave.n; k++)
        emit_line(e, "%s = %s;", emit_reserved(e, u->weave.name[k]), nest_local(e, u->weave.node[k]));
    units_read_repeated(u, u->weave.late, true);
    emit_line(e, "late_row = r;");
    emit_line(e, "room = late_room;");
    emit_line(e, "late_room = row;");
}

/* ---- The late row ---- */

/* Until it is closed, names are those of the late row. */
static void open_late(struct units_of *u, const char *if_any, uint32_t before[carried_most]) {
    struct emitter *e = u->l.e;
    char type[80], name[96];
    emit_open(e, "%s", if_any);
    emit_line(e, "const int64_t r = late_row, low = 0, high = %lld;", (long long)u->run);
    nest_row_indices(e, "int64_t", "r");
    declare_rooms(u, "late_room");
    for (int k = 0; k < u->weave.n; k++) {
        const uint32_t x = u->weave.node[k];
        before[k] = e->local[x];
        snprintf(name, sizeof name, "%.80s_", emit_name(e, x));
        e->local[x] = emit_reserve(e, name);
        emit_line(e, "const %s %s = %s;", units_type(e, x, type), nest_local(e, x),
                  emit_reserved(e, u->weave.name[k]));
    }
}

static void close_late(struct units_of *u, const uint32_t before[carried_most]) {
    for (int k = 0; k < u->weave.n; k++) u->l.e->local[u->weave.node[k]] = before[k];
    emit_close(u->l.e);
}

static void late_lanes(struct units_of *u) {
    emit_line(u->l.e, "const int64_t at = late;");
    units_lanes_at(u, u->weave.late);
}

/* Up to where lines of the cache begin. */
void units_begin_late(struct units_of *u) {
    uint32_t before[carried_most];
    emit_line(u->l.e, "int64_t late = %lld;", (long long)u->run);
    open_late(u, "if (late_row >= 0)", before);
    units_declare_line(u, u->weave.late);
    units_one_by_one(u, u->weave.late, "low", "line");
    emit_line(u->l.e, "late = line;");
    close_late(u, before);
}

void units_end_late(struct units_of *u) {
    uint32_t before[carried_most];
    open_late(u, "if (late_row >= 0)", before);
    emit_open(u->l.e, "for (; late + %d <= high; late += %d)", fold_lanes, fold_lanes);
    late_lanes(u);
    emit_close(u->l.e);
    units_one_by_one(u, u->weave.late, "late", "high");
    close_late(u, before);
}

/* Behind all rows. */
void units_end_rows(struct units_of *u) {
    if (!u->weave.on) return;
    emit_open(u->l.e, "%s", "");
    units_begin_late(u);
    units_end_late(u);
    emit_close(u->l.e);
}

/* ---- Both ---- */

enum way { DECLARED, TO_REGISTERS, FROM_REGISTERS };

enum { register_bytes = 64 }; /* of `lanes_anywhere` */

/* Does the pass fold it in lanes that fill registers? Those of bool are fewer bytes. */
static bool fills_registers(const struct units_of *u, uint32_t i) {
    return nest_pass(&u->l, i) == u->weave.host && units_folds_line(u, i) &&
           fold_lanes * cr_dtype_size((cr_dtype)units_instruction(u, i)->to) % register_bytes == 0;
}

/* Lanes of what the pass folds, a register at a time. A store past the caches is to gcc one to anywhere, so that it would keep them in
 * memory beside one. */
static void move_lanes(struct units_of *u, enum way way) {
    struct emitter *e = u->l.e;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!fills_registers(u, i)) continue;
        const int each = register_bytes / (int)cr_dtype_size((cr_dtype)units_instruction(u, i)->to);
        const char *name = emit_name(e, nest_node(&u->l, i));
        for (int at = 0; at < fold_lanes; at += each)
            if (way == FROM_REGISTERS)
                emit_line(e, "*(lanes_anywhere *)(lane_%s + %d) = now_%s_%d;", name, at, name, at);
            else
                emit_line(e, "%snow_%s_%d = *(const lanes_anywhere *)(lane_%s + %d);",
                          way == DECLARED ? "lanes_anywhere " : "", name, at, name, at);
    }
}

static void declare_lanes(struct units_of *u) {
    char type[80];
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (fills_registers(u, i))
            emit_line(u->l.e, "IN_A_LINE %s lane_%s[%d];", units_type(u->l.e, nest_node(&u->l, i), type),
                      emit_name(u->l.e, nest_node(&u->l, i)), fold_lanes);
}

/* In this order: if lanes of the late row came first, loads of the other would wait for memory. */
void units_weave(struct units_of *u, const char *from) {
    struct emitter *e = u->l.e;
    uint32_t before[carried_most];
    emit_line(e, "int64_t woven = %s;", from);
    move_lanes(u, DECLARED);
    emit_open(e, "AROUND for (; woven + %d <= high && late + %d <= %lld; woven += %d, late += %d)",
              fold_lanes, fold_lanes, (long long)u->run, fold_lanes, fold_lanes);
    emit_line(e, "const int64_t at = woven;");
    declare_lanes(u);
    move_lanes(u, FROM_REGISTERS);
    units_lanes_at(u, u->weave.host);
    move_lanes(u, TO_REGISTERS);
    open_late(u, "", before);
    late_lanes(u);
    close_late(u, before);
    emit_close(e);
    move_lanes(u, FROM_REGISTERS);
}

/* The greatest or least of a line of floats, four vectors at a time. A step of max waits for the one before it, and looks for nan too;
 * the later of two where neither is greater may be taken in any grouping, so that four take as long as one. What is no number is
 * noted beside, and is the lane's result in the end: the bits are those of one after the other. */
#include "emit/units.h"

enum { at_once = 4 };

static bool is_extreme(const struct units_of *u, uint32_t i) {
    const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, i));
    int kind = units_instruction(u, i)->kind;
    return (n->op == OP_max || n->op == OP_min) && (n->dtype == CR_F32 || n->dtype == CR_F64) &&
           (kind == FOLD_WHOLE || kind == FOLD_PART);
}

/* Of passes that compute little else. */
bool units_in_fours(const struct units_of *u, int pass) {
    enum { little = 4 };
    if (u->run < at_once * fold_lanes || units_weight(u, pass) > little || units_stream_in(u, pass))
        return false;
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (nest_in_pass(&u->l, i, pass) && nest_role(&u->l, nest_node(&u->l, i)) == ROLE_FOLD &&
            !is_extreme(u, i))
            return false;
    return true;
}

static bool folded_here(const struct units_of *u, uint32_t i, int pass) {
    return nest_pass(&u->l, i) == pass && is_extreme(u, i);
}

void units_open_fours(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    char type[80];
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!folded_here(u, i, pass)) continue;
        const char *t = units_type(e, nest_node(&u->l, i), type), *name = emit_name(e, nest_node(&u->l, i));
        emit_line(e, "%s nan_%s[%d];", t, name, fold_lanes);
        emit_line(
            e, /* of what was folded before, where a row goes some numbers at a time */
            "for (int lane = 0; lane < %d; lane++) nan_%s[lane] = lane_%s[lane] == lane_%s[lane] ? 0 : NAN;",
            fold_lanes, name, name, name);
    }
    emit_open(e, "AROUND for (int64_t at = low; at + %d <= high; at += %d)", at_once * fold_lanes,
              at_once * fold_lanes);
    units_fetch_ahead(u, pass, at_once * fold_lanes);
    emit_open(e, "LANES for (int lane = 0; lane < %d; lane++)", fold_lanes);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!folded_here(u, i, pass)) continue;
        const char *t = units_type(e, nest_node(&u->l, i), type), *name = emit_name(e, nest_node(&u->l, i));
        emit_line(e, "%s one_%s, two_%s, three_%s, four_%s;", t, name, name, name, name);
    }
}

void units_next_four(struct units_of *u, uint32_t i, const char *value) {
    static const char *const of[at_once] = {"one", "two", "three", "four"};
    emit_line(u->l.e, "%s_%s = %s;", of[u->four - 1], emit_name(u->l.e, nest_node(&u->l, i)), value);
}

void units_close_fours(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    u->four = 0;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (!folded_here(u, i, pass)) continue;
        const struct node *n = graph_at(e->g, nest_node(&u->l, i));
        const char *name = emit_name(e, nest_node(&u->l, i)), *f = n->op == OP_max ? "greater" : "less",
                   *t = cr_dtype_name((cr_dtype)n->dtype);
        emit_line(
            e,
            "lane_%s[lane] = %s_%s(lane_%s[lane], %s_%s(%s_%s(one_%s, two_%s), %s_%s(three_%s, four_%s)));",
            name, f, t, name, f, t, f, t, name, name, f, t, name, name);
        emit_line(e,
                  "nan_%s[lane] = isunordered(one_%s, two_%s) || isunordered(three_%s, four_%s) ? NAN : "
                  "nan_%s[lane];",
                  name, name, name, name, name, name);
    }
    emit_close(e);
    emit_close(e);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const char *name = emit_name(e, nest_node(&u->l, i));
        if (folded_here(u, i, pass))
            emit_line(e,
                      "for (int lane = 0; lane < %d; lane++) lane_%s[lane] = nan_%s[lane] == 0 ? "
                      "lane_%s[lane] : NAN;",
                      fold_lanes, name, name, name);
    }
}

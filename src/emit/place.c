/* Places along a row: a pass that compares them with a number of the row, as a loss does with its class. Only one part of the lanes is at that
 * place: for all others nothing is compared, nor chosen. */
#include "emit/units.h"

static int place_of(const struct units_of *u, uint32_t i, int pass) {
    return nest_in_pass(&u->l, i, pass) ? emit_place_operand(u->l.e, nest_node(&u->l, i)) : -1;
}

bool units_counts_places(const struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (place_of(u, i, pass) >= 0) return u->run <= INT32_MAX;
    return false;
}

static bool is_at_one(const struct units_of *u, uint32_t i, int place) {
    const struct emitter *e = u->l.e;
    const struct node *n = graph_at(e->g, nest_node(&u->l, i));
    const int64_t along = plan_strides(e->p, n->arg[place])[e->nest.axis[e->nest.n - 1].from];
    uint32_t named;
    return along == 1 && nest_is_of_row(&u->l, n->arg[!place], &named);
}

/* Do all that the pass compares with places meet one of them? */
static bool meets_seldom(const struct units_of *u, int pass) {
    bool some = false;
    if (!u->folds || units_columns(u) != 1) return false;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const int place = place_of(u, i, pass);
        if (place >= 0 && !is_at_one(u, i, place)) return false;
        some = some || place >= 0;
    }
    return some;
}

bool units_asks_places(const struct units_of *u, int pass) {
    enum { few = 8 * fold_lanes };
    return u->run >= few && meets_seldom(u, pass);
}

/* Whether one of the lanes from `at` on is where a comparison of the pass holds. */
static void write_meets(struct units_of *u, int pass, struct cr_text *out) {
    struct emitter *e = u->l.e;
    const char *as_before = e->place;
    e->place = "(int32_t)at";
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const int place = place_of(u, i, pass);
        if (place < 0) continue;
        const struct node *n = graph_at(e->g, nest_node(&u->l, i));
        struct expression first = nest_operand(&u->l, i, n->arg[place]),
                          number = nest_operand(&u->l, i, n->arg[!place]);
        text_add(out, "%s(uint32_t)((int32_t)%s - (int32_t)(%s)) < %d", out->n ? " || " : "", number.s,
                 first.s, fold_lanes);
    }
    e->place = as_before;
}

static void all_lanes(struct units_of *u, int pass) {
    units_open_streamed(u, pass);
    units_open_lanes(u, "LANES");
    units_body(u, pass);
    emit_close(u->l.e);
    units_close_streamed(u, pass);
}

void units_lanes(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    struct cr_text meets = text_make(&e->mem);
    if (meets_seldom(u, pass)) write_meets(u, pass, &meets);
    if (meets.failed || !meets.n) all_lanes(u, pass);
    else {
        emit_open(e, "if (%s)", meets.s);
        all_lanes(u, pass);
        emit_close(e);
        emit_open(e, "else");
        e->nowhere = true;
        all_lanes(u, pass);
        e->nowhere = false;
        emit_close(e);
    }
    text_drop(&meets);
}

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

static int64_t stride_along(const struct units_of *u, uint32_t x) {
    const struct emitter *e = u->l.e;
    return plan_strides(e->p, x)[e->nest.axis[e->nest.n - 1].from];
}

/* Is it one number for the whole row? */
static bool is_of_row(const struct units_of *u, uint32_t x) {
    int j = plan_made_here(u->l.e->p, u->l.s, x);
    return j < 0 ? stride_along(u, x) == 0 : nest_role(&u->l, x) == ROLE_NARROW;
}

static bool is_at_one(const struct units_of *u, uint32_t i, int place) {
    const struct node *n = graph_at(u->l.e->g, nest_node(&u->l, i));
    return stride_along(u, n->arg[place]) == 1 && is_of_row(u, n->arg[!place]);
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
    units_open_lanes(u);
    units_body(u, pass);
    emit_close(u->l.e);
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

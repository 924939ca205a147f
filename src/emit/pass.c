/* A pass over a row, or over elements: in lanes or one by one, what it folds, and where its results go. */
#include "emit/units.h"

#include <stdio.h>

#include "base/whole.h"
#include "tensor/dtype.h"

/* ---- Folds ---- */

bool units_folds_line(const struct units_of *u, uint32_t i) {
    return units_instruction(u, i)->kind == FOLD_WHOLE || units_instruction(u, i)->kind == FOLD_PART;
}

/* Of a line shorter than the lanes, those that its numbers reach, up to a power of 2: the others only have what a fold starts with,
 * which changes nothing that was combined with it once before. */
int units_lanes_of(const struct units_of *u) {
    int lanes = 1;
    while (lanes < fold_lanes && lanes < u->run) lanes *= 2;
    return lanes;
}

static void start_lanes(struct units_of *u, uint32_t i) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    char type[80];
    emit_line(e, "IN_A_LINE %s lane_%s[%d];", units_type(e, id, type), emit_name(e, id), units_lanes_of(u));
    emit_line(e, "for (int lane = 0; lane < %d; lane++) lane_%s[lane] = %s;", units_lanes_of(u),
              emit_name(e, id), emit_start(e, id));
}

void units_combine(struct units_of *u, uint32_t i, const char *so_far, const char *next, const char *within) {
    struct cr_text t = text_make(&u->l.e->mem);
    emit_combine(u->l.e, &t, nest_node(&u->l, i), so_far, next);
    if (!t.failed && within) emit_line(u->l.e, "%s = %s ? %s : %s;", so_far, within, t.s, so_far);
    else if (!t.failed) emit_line(u->l.e, "%s = %s;", so_far, t.s);
    text_end(&t, u->l.e->out);
}

/* The operand joins its lane, its place in the row of what the unit leaves, or the row that is folded later. */
static void fold(struct units_of *u, uint32_t i) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    struct expression next = nest_operand(&u->l, i, graph_at(e->g, id)->arg[0]), place = nest_place(e);
    struct cr_text t = text_make(&e->mem);
    bool lines = units_folds_line(u, i);
    if (u->four) {
        units_next_four(u, i, next.s);
        return;
    }
    if (lines && !u->lane) {
        emit_line(e, "fold_%s[%s] = %s;", emit_name(e, id), place.s, next.s);
        return;
    }
    if (lines) text_add(&t, "lane_%s[%s]", emit_name(e, id), u->lane);
    else text_add(&t, "left_%s[%s]", emit_name(e, id), place.s);
    struct expression so_far = emit_take(e, &t);
    units_combine(u, i, so_far.s, next.s, lines ? e->within : NULL);
}

/* Lines that are kept whole though they are longer than a block: a number for each block, then those as a line. */
static bool in_pieces(const struct units_of *u) { return u->columns == 1 && u->run > fold_block; }

static void declare_pieces(struct units_of *u, uint32_t i) {
    char type[80];
    uint32_t id = nest_node(&u->l, i);
    emit_line(u->l.e, "%s piece_%s[%lld];", units_type(u->l.e, id, type), emit_name(u->l.e, id),
              (long long)pieces(u->run, fold_block));
}

static void open_pieces(struct units_of *u) {
    long long n = pieces(u->run, fold_block), run = u->run;
    emit_open(u->l.e, "for (int64_t piece = 0; piece < %lld; piece++)", n);
    emit_line(u->l.e, "const int64_t low = piece * %d, high = piece == %lld ? %lld : low + %d;", fold_block,
              n - 1, run, fold_block);
}

/* What a row whose line stands in lanes, in pieces, or as numbers in memory comes to. */
static void row_value(struct units_of *u, uint32_t id, const char *fold_name, char value[200]) {
    struct emitter *e = u->l.e;
    const char *name = emit_name(e, id);
    if (in_pieces(u) && units_columns(u) != 1) {
        open_pieces(u);
        emit_line(e, "piece_%s[piece] = line_%s(fold_%s + low, high - low);", name, fold_name, name);
        emit_close(e);
    }
    if (in_pieces(u))
        snprintf(value, 200, "line_%s(piece_%s, %lld)", fold_name, name,
                 (long long)pieces(u->run, fold_block));
    else if (units_columns(u) == 1)
        snprintf(value, 200, "tree_%s(lane_%s, %d)", fold_name, name, units_lanes_of(u) / 2);
    else snprintf(value, 200, "line_%s(fold_%s, %lld)", fold_name, name, (long long)u->run);
}

/* The result of the row, or what the unit leaves. */
static void end_lanes(struct units_of *u, uint32_t i, const char *unit) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    char type[80];
    const char *t = units_type(e, id, type), *name = emit_name(e, id);
    struct cr_text f = text_make(&e->mem), all = text_make(&e->mem);
    emit_fold_name(e, &f, id);
    const char *fold_name = f.failed ? "" : f.s;
    if (units_instruction(u, i)->kind == FOLD_PART)
        emit_line(e, "((%s *)(void *)(shared + %zu))[%s] = tree_%s(lane_%s, %d);", t,
                  units_instruction(u, i)->partial, unit, fold_name, name, units_lanes_of(u) / 2);
    else {
        char value[200];
        row_value(u, id, fold_name, value);
        emit_combine(e, &all, id, emit_start(e, id), value);
        emit_line(e, "const %s %s = %s;", t, nest_make_local(e, id), all.failed ? "0" : all.s);
        if (e->p->view[id].slot != no_slot)
            emit_line(e, "%s[%s] = %s;", emit_name(e, e->p->slot[e->p->view[id].slot].node), nest_row(e).s,
                      nest_local(e, id));
    }
    text_drop(&f);
    text_drop(&all);
}

/* ---- A pass over a row ---- */

void units_one(struct units_of *u, uint32_t i) {
    enum loop_role role = nest_role(&u->l, nest_node(&u->l, i));
    if (role == ROLE_WIDE) nest_result(&u->l, i, false);
    else if (role == ROLE_FOLD) fold(u, i);
}

void units_body(struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (nest_in_pass(&u->l, i, pass)) units_one(u, i);
}

/* Before the innermost loop, what a pass reads of numbers that repeat along it. gcc reads them in the loop for each vector again, since it
 * does not know that what the loop writes is elsewhere, and computes there what is the same for all; and in a short line for those lanes alone that
 * have a number, which a vector cannot. forget: after it. */
void units_read_repeated(struct units_of *u, int pass, bool forget) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (nest_in_pass(&u->l, i, pass)) nest_read_repeated(&u->l, i, forget);
}

/* Innermost loops become vectors: no iteration depends on another. */
void units_open_axis(struct emitter *e, int axis, bool innermost) {
    const char *i = emit_axis[axis];
    emit_open(e, "%sfor (int64_t %s = 0; %s < %lld; %s++)", innermost ? "VECTOR " : "", i, i,
              (long long)e->nest.axis[axis].size, i);
}

/* A line that fills some of the lanes, once. */
static void short_line(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    char within[32];
    snprintf(within, sizeof within, "lane < %d", (int)u->run);
    if (u->run < units_lanes_of(u)) e->within = within;
    if (units_stages_any_lanes(u, pass)) {
        emit_open(e, "");
        emit_line(e, "const int64_t at = 0;");
        units_stages(u, pass);
    } else {
        emit_open(e, "FEW_LANES for (int lane = 0; lane < %d; lane++)", units_lanes_of(u));
        emit_line(e, "const int64_t %s = lane;", emit_axis[e->nest.rows]);
        units_body(u, pass);
    }
    emit_close(e);
    e->within = NULL;
}

/* The lanes from this one on after `at`. */
static void lanes_body(struct units_of *u, int pass, int from) {
    struct emitter *e = u->l.e;
    char place[48];
    snprintf(place, sizeof place, "((int32_t)at + %d + lane)", from);
    emit_line(e, "const int64_t %s = at + %d + lane;", emit_axis[e->nest.rows], from);
    e->place = place;
    units_body(u, pass);
    e->place = NULL;
}

static void fours_loop(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    units_open_fours(u, pass);
    for (u->four = 1; u->four <= 4; u->four++) {
        emit_open(e, "%s", "");
        lanes_body(u, pass, (u->four - 1) * fold_lanes);
        emit_close(e);
    }
    units_close_fours(u, pass);
}

/* One after the other, from one place to another. */
void units_one_by_one(struct units_of *u, int pass, const char *from, const char *to) {
    struct emitter *e = u->l.e;
    emit_open(e, "for (int64_t at = %s, lane = 0; at < %s; at++, lane++)", from, to);
    emit_line(e, "const int64_t %s = at;", emit_axis[e->nest.rows]);
    units_body(u, pass);
    emit_close(e);
}

void units_open_lanes(struct units_of *u, const char *kind) {
    emit_open(u->l.e, "%s for (int lane = 0; lane < %d; lane++)", kind,
              units_is_short(u) ? units_lanes_of(u) : fold_lanes);
    emit_line(u->l.e, "const int64_t %s = at + lane;", emit_axis[u->l.e->nest.rows]);
}

/* What is left behind the last whole lanes that were counted from there. */
static void left_over(struct units_of *u, int pass, const char *from) {
    char rest[48];
    snprintf(rest, sizeof rest, "high - (high - %s) %% %d", from, fold_lanes);
    units_one_by_one(u, pass, rest, "high");
}

void units_lanes_at(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    u->folds ? units_fetch_ahead(u, pass, fold_lanes) : units_fetch_soon(u);
    e->place = "((int32_t)at + lane)";
    units_in_stages(u, pass) ? units_stages(u, pass) : units_lanes(u, pass);
    e->place = NULL;
}

/* So many as there are lanes at a time. */
static void by_lanes(struct units_of *u, int pass, const char *from) {
    struct emitter *e = u->l.e;
    if (units_is_host(u, pass)) units_weave(u, from), from = "woven";
    emit_open(e, "AROUND for (int64_t at = %s; at + %d <= high; at += %d)", from, fold_lanes, fold_lanes);
    units_lanes_at(u, pass);
    emit_close(e);
}

/* Results go past the caches by whole lines: where no fold counts lanes from the start of the row, vectors begin with one. */
void units_streamed_loop(struct units_of *u, int pass) {
    units_read_repeated(u, pass, false);
    units_declare_line(u, pass);
    units_one_by_one(u, pass, "low", "line");
    by_lanes(u, pass, "line");
    left_over(u, pass, "line");
    units_read_repeated(u, pass, true);
}

/* Are lanes left over? Of a row all parts but the last are whole; of a loop over elements a thread takes any part. */
static bool leaves_some(const struct units_of *u) { return !u->folds || u->run % fold_lanes; }

/* Numbers side by side go to the lanes in turn. */
void units_lanes_loop(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    const bool fours = !units_is_short(u) && units_in_fours(u, pass);
    u->lane = "lane";
    if (e->most) e->most = "far";
    units_read_repeated(u, pass, false);
    if (units_is_short(u)) short_line(u, pass);
    else if (fours) fours_loop(u, pass);
    if (u->run >= fold_lanes && !units_is_short(u) &&
        !(fours && u->run % (4 * fold_lanes) == 0 && !u->loop->diagonal))
        by_lanes(u, pass, fours ? "high - (high - low) % 64" : "low");
    if (leaves_some(u) && !units_is_short(u)) left_over(u, pass, "low");
    units_read_repeated(u, pass, true);
    u->lane = NULL;
    if (e->most) e->most = "most";
}

static void plain_loops(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    const bool places = units_columns(u) == 1 && units_counts_places(u, pass);
    u->lane = NULL;
    for (int i = e->nest.rows; i < e->nest.n; i++) {
        const char *x = emit_axis[i];
        if (i == e->nest.n - 1) units_read_repeated(u, pass, false);
        if (places) {
            emit_open(e, "VECTOR for (int32_t at = (int32_t)low, past = (int32_t)high; at < past; at++)");
            emit_line(e, "const int64_t %s = at;", x);
        } else if (u->columns > 1 || u->loop->diagonal)
            emit_open(e, "VECTOR for (int64_t %s = low; %s < high; %s++)", x, x, x);
        else units_open_axis(e, i, i == e->nest.n - 1);
    }
    units_body(u, pass);
    units_read_repeated(u, pass, true);
    for (int i = e->nest.rows; i < e->nest.n; i++) emit_close(e);
}

static bool folds_line(const struct units_of *u, uint32_t i, int pass) {
    return nest_pass(&u->l, i) == pass && units_folds_line(u, i);
}

static void start_lines(struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (folds_line(u, i, pass)) start_lanes(u, i);
}

/* Along the row; lanes: it has folds that count them. */
static void along_row(struct units_of *u, int pass, bool lanes) {
    if (!lanes && units_stream_in(u, pass)) units_streamed_loop(u, pass);
    else if (lanes || units_asks_next_row(u, pass) || units_asks_stages(u, pass) ||
             units_asks_places(u, pass))
        units_lanes_loop(u, pass);
    else plain_loops(u, pass);
}

static void pieces_loop(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    open_pieces(u);
    start_lines(u, pass);
    along_row(u, pass, true);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        struct cr_text f = text_make(&e->mem);
        uint32_t id = nest_node(&u->l, i);
        if (!folds_line(u, i, pass)) continue;
        emit_fold_name(e, &f, id);
        emit_line(e, "piece_%s[piece] = tree_%s(lane_%s, %d);", emit_name(e, id), f.failed ? "" : f.s,
                  emit_name(e, id), units_lanes_of(u) / 2);
        text_drop(&f);
    }
    emit_close(e);
}

static void one_pass(struct units_of *u, int pass, const char *unit) {
    bool along = false, lines = false, lanes = units_columns(u) == 1;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        along = along || (nest_pass(&u->l, i) == pass && units_instruction(u, i)->kind != DO_NARROW);
        if (!folds_line(u, i, pass)) continue;
        lines = true;
        if (in_pieces(u)) declare_pieces(u, i);
    }
    if (units_is_late(u, pass)) {
        units_carry_on(u);
        return;
    }
    if (units_is_host(u, pass)) units_begin_late(u);
    if (lines && lanes && in_pieces(u)) pieces_loop(u, pass);
    else if (lines && lanes) start_lines(u, pass), along_row(u, pass, true);
    else if (along) along_row(u, pass, units_is_short(u));
    if (units_is_host(u, pass)) units_end_late(u);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (nest_pass(&u->l, i) != pass) continue;
        if (units_folds_line(u, i)) end_lanes(u, i, unit);
        else if (units_instruction(u, i)->kind == DO_NARROW) nest_result(&u->l, i, true);
    }
}

void units_passes(struct units_of *u, const char *unit) {
    for (int pass = 0; pass < plan_passes(u->l.e->p, u->l.s); pass++) one_pass(u, pass, unit);
}

/* A loop as C with the bits of the built-in way: the same lanes, blocks and units (device/cpu/fold.inc, loop/loop.h). */
#include "emit/units.h"

#include <stdio.h>

#include "base/whole.h"
#include "tensor/dtype.h"

/* ---- Folds ---- */

static bool is_lines(const struct units_of *u, uint32_t i) {
    return units_instruction(u, i)->kind == FOLD_WHOLE || units_instruction(u, i)->kind == FOLD_PART;
}

/* Of a line shorter than the lanes, those that its numbers reach, up to a power of 2: the others only have what a fold starts with,
 * which changes nothing that was combined with it once before. */
static int lanes_of(const struct units_of *u) {
    int lanes = 1;
    while (lanes < fold_lanes && lanes < u->run) lanes *= 2;
    return lanes;
}

static void start_lanes(struct units_of *u, uint32_t i) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    char type[80];
    emit_line(e, "%s lane_%s[%d];", units_type(e, id, type), emit_name(e, id), lanes_of(u));
    emit_line(e, "for (int lane = 0; lane < %d; lane++) lane_%s[lane] = %s;", lanes_of(u), emit_name(e, id),
              emit_start(e, id));
}

static void combine(struct units_of *u, uint32_t i, const char *so_far, const char *next,
                    const char *within) {
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
    bool lines = is_lines(u, i);
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
    combine(u, i, so_far.s, next.s, lines ? e->within : NULL);
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
        snprintf(value, 200, "tree_%s(lane_%s, %d)", fold_name, name, lanes_of(u) / 2);
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
                  units_instruction(u, i)->partial, unit, fold_name, name, lanes_of(u) / 2);
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
static void open_axis(struct emitter *e, int axis, bool innermost) {
    const char *i = emit_axis[axis];
    emit_open(e, "%sfor (int64_t %s = 0; %s < %lld; %s++)", innermost ? "VECTOR " : "", i, i,
              (long long)e->nest.axis[axis].size, i);
}

/* A line that fills some of the lanes, once. */
static void short_line(struct units_of *u, int pass) {
    struct emitter *e = u->l.e;
    char within[32];
    snprintf(within, sizeof within, "lane < %d", (int)u->run);
    if (u->run < lanes_of(u)) e->within = within;
    emit_open(e, "LANES for (int lane = 0; lane < %d; lane++)", lanes_of(u));
    emit_line(e, "const int64_t %s = lane;", emit_axis[e->nest.rows]);
    units_body(u, pass);
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
static void one_by_one(struct units_of *u, int pass, const char *from, const char *to) {
    struct emitter *e = u->l.e;
    emit_open(e, "for (int64_t at = %s, lane = 0; at < %s; at++, lane++)", from, to);
    emit_line(e, "const int64_t %s = at;", emit_axis[e->nest.rows]);
    units_body(u, pass);
    emit_close(e);
}

void units_open_lanes(struct units_of *u) {
    emit_open(u->l.e, "LANES for (int lane = 0; lane < %d; lane++)", fold_lanes);
    emit_line(u->l.e, "const int64_t %s = at + lane;", emit_axis[u->l.e->nest.rows]);
}

/* What is left behind the last whole lanes that were counted from there. */
static void left_over(struct units_of *u, int pass, const char *from) {
    char rest[48];
    snprintf(rest, sizeof rest, "high - (high - %s) %% %d", from, fold_lanes);
    one_by_one(u, pass, rest, "high");
}

/* So many as there are lanes at a time. */
static void by_lanes(struct units_of *u, int pass, const char *from) {
    struct emitter *e = u->l.e;
    emit_open(e, "for (int64_t at = %s; at + %d <= high; at += %d)", from, fold_lanes, fold_lanes);
    u->folds ? units_fetch_ahead(u, pass, fold_lanes) : units_fetch_soon(u);
    units_open_streamed(u, pass);
    e->place = "((int32_t)at + lane)";
    if (units_in_stages(u, pass)) units_stages(u, pass);
    else units_lanes(u, pass);
    e->place = NULL;
    units_close_streamed(u, pass);
    emit_close(e);
}

/* Results go past the caches by whole lines: where no fold counts lanes from the start of the row, vectors begin with one. */
static void streamed_loop(struct units_of *u, int pass) {
    units_read_repeated(u, pass, false);
    units_declare_line(u, pass);
    one_by_one(u, pass, "low", "line");
    by_lanes(u, pass, "line");
    left_over(u, pass, "line");
    units_read_repeated(u, pass, true);
}

/* Are lanes left over? Of a row all parts but the last are whole; of a loop over elements a thread takes any part. */
static bool leaves_some(const struct units_of *u) { return !u->folds || u->run % fold_lanes; }

/* Numbers side by side go to the lanes in turn. */
static void lanes_loop(struct units_of *u, int pass) {
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
        else open_axis(e, i, i == e->nest.n - 1);
    }
    units_body(u, pass);
    units_read_repeated(u, pass, true);
    for (int i = e->nest.rows; i < e->nest.n; i++) emit_close(e);
}

static bool folds_line(const struct units_of *u, uint32_t i, int pass) {
    return nest_pass(&u->l, i) == pass && is_lines(u, i);
}

static void start_lines(struct units_of *u, int pass) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (folds_line(u, i, pass)) start_lanes(u, i);
}

/* Along the row; lanes: it has folds that count them. */
static void along_row(struct units_of *u, int pass, bool lanes) {
    if (!lanes && units_stream_in(u, pass)) streamed_loop(u, pass);
    else if (lanes || units_asks_next_row(u, pass) || units_asks_stages(u, pass) ||
             units_asks_places(u, pass))
        lanes_loop(u, pass);
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
                  emit_name(e, id), lanes_of(u) / 2);
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
    if (lines && lanes && in_pieces(u)) pieces_loop(u, pass);
    else if (lines && lanes) start_lines(u, pass), along_row(u, pass, true);
    else if (along) along_row(u, pass, units_is_short(u));
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        if (nest_pass(&u->l, i) != pass) continue;
        if (is_lines(u, i)) end_lanes(u, i, unit);
        else if (units_instruction(u, i)->kind == DO_NARROW) nest_result(&u->l, i, true);
    }
}

static void passes(struct units_of *u, const char *unit) {
    for (int pass = 0; pass < plan_passes(u->l.e->p, u->l.s); pass++) one_pass(u, pass, unit);
}

/* ---- Units ---- */

/* Sums of rows of so few bytes stay in registers; longer ones gather where the unit leaves them. */
static bool stays_in_registers(const struct units_of *u, uint32_t i) {
    enum { few_registers = 512 };
    return u->run * (int64_t)cr_dtype_size((cr_dtype)units_instruction(u, i)->to) <= few_registers;
}

/* What the unit leaves of a fold of rows: as it begins, then where others find it. */
static void declare_left(struct units_of *u, uint32_t i) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    char type[80];
    const char *t = units_type(e, id, type), *name = emit_name(e, id);
    const long long numbers = units_is_short(u) ? lanes_of(u) : u->run;
    if (stays_in_registers(u, i)) emit_line(e, "%s left_%s[%lld];", t, name, numbers);
    else
        emit_line(e, "%s *const restrict left_%s = (%s *)(void *)(shared + %zu) + block * %lld;", t, name, t,
                  units_instruction(u, i)->partial, (long long)u->run);
    if (units_is_short(u))
        emit_line(e, "for (int q = 0; q < %lld; q++) left_%s[q] = %s;", numbers, name, emit_start(e, id));
    else emit_line(e, "for (int64_t q = low; q < high; q++) left_%s[q] = %s;", name, emit_start(e, id));
}

static void leave(struct units_of *u, uint32_t i) {
    struct emitter *e = u->l.e;
    uint32_t id = nest_node(&u->l, i);
    char type[80];
    if (stays_in_registers(u, i))
        emit_line(e, "memcpy((%s *)(void *)(shared + %zu) + block * %lld, left_%s, %lld * sizeof *left_%s);",
                  units_type(e, id, type), units_instruction(u, i)->partial, (long long)u->run,
                  emit_name(e, id), (long long)u->run, emit_name(e, id));
}

static void each_fold_of_rows(struct units_of *u, void (*what)(struct units_of *u, uint32_t i)) {
    for (uint32_t i = 0; i < u->l.s->n; i++)
        if (units_instruction(u, i)->kind == FOLD_ROWS_PART) what(u, i);
}

static void row_units(struct units_of *u) {
    struct emitter *e = u->l.e;
    emit_open(e, "for (int64_t r = first; r < end; r++)");
    if (u->loop->diagonal) /* plan_up_to */
        emit_line(
            e,
            "const int64_t low = 0, up_to = (r %% %lld / %d + 1) * %d, high = up_to < %lld ? up_to : %lld;",
            (long long)u->loop->diagonal, diagonal_rows, diagonal_rows, (long long)u->run, (long long)u->run);
    else emit_line(e, "const int64_t low = 0, high = %lld;", (long long)u->run);
    nest_row_indices(e, "int64_t", "r");
    passes(u, "0");
    emit_close(e);
}

static void bounds(struct units_of *u) {
    if (u->columns == 1) emit_line(u->l.e, "const int64_t low = 0, high = %lld;", (long long)u->run);
    else
        emit_line(u->l.e, "const int64_t low = unit %% %lld * %d, high = low + %d < %lld ? low + %d : %lld;",
                  (long long)u->columns, fold_block, fold_block, (long long)u->run, fold_block,
                  (long long)u->run);
}

/* Blocks of rows, or one row, by blocks of columns. */
static void block_units(struct units_of *u) {
    struct emitter *e = u->l.e;
    emit_open(e, "for (int64_t unit = first; unit < end; unit++)");
    bounds(u);
    if (u->blocks) {
        emit_line(
            e,
            "const int64_t block = unit / %lld, row_end = block * %d + %d < %lld ? block * %d + %d : %lld;",
            (long long)u->columns, fold_rows, fold_rows, (long long)u->rows, fold_rows, fold_rows,
            (long long)u->rows);
        each_fold_of_rows(u, declare_left);
        emit_open(e, "for (int64_t r = block * %d; r < row_end; r++)", fold_rows);
    } else emit_line(e, "const int64_t r = unit / %lld;", (long long)u->columns);
    nest_row_indices(e, "int64_t", "r");
    passes(u, "unit");
    if (u->blocks) {
        emit_close(e);
        each_fold_of_rows(u, leave);
    }
    emit_close(e);
}

static void element_loops(struct units_of *u, int64_t padded) {
    struct emitter *e = u->l.e;
    int n = e->nest.n;
    for (int i = 0; i < n; i++) {
        if (i == n - 1) units_read_repeated(u, 0, false);
        if (i) open_axis(e, i, i == n - 1);
        else if (padded < u->loop->count)
            emit_open(e, "VECTOR for (int64_t i = 0; i < %lld; i++)", (long long)padded);
        else emit_open(e, "%sfor (int64_t i = first; i < end; i++)", n == 1 ? "VECTOR " : "");
    }
    units_body(u, 0);
    units_read_repeated(u, 0, true);
    for (int i = 0; i < n; i++) emit_close(e);
}

static void element_units(struct units_of *u) {
    struct emitter *e = u->l.e;
    const int64_t padded = units_padded_from(u);
    const bool asks = !units_looks(u) && (units_asks_soon(u) || units_asks_stages(u, 0));
    if (asks || u->streams) emit_line(e, "const int64_t low = first, high = end;");
    if (u->streams) streamed_loop(u, 0);
    else if (asks) lanes_loop(u, 0);
    else element_loops(u, padded);
    if (padded == u->loop->count) return;
    units_open_padded(u, padded);
    units_body(u, 0);
    units_close_padded(u, padded);
}

/* Rooms for lines whose elements are not one axis. */
static void declare_lines(struct units_of *u) {
    struct emitter *e = u->l.e;
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        uint32_t id = nest_node(&u->l, i);
        char type[80], name[96];
        if (!is_lines(u, i) || units_columns(u) == 1) continue;
        snprintf(name, sizeof name, "fold_%.80s", emit_name(e, id));
        emit_scratch(e, units_type(e, id, type), name, u->run);
    }
}

/* What units left, combined in their order. */
static void write_end(struct units_of *u, size_t number) {
    struct emitter *e = u->l.e;
    char type[80];
    emit_open(e, "%s void end_%zu(char *const slot[], char *shared)", units_kind(e), number);
    emit_declare_slots(e, u->l.s);
    for (uint32_t i = 0; i < u->l.s->n; i++) {
        const struct instruction *in = units_instruction(u, i);
        if (in->kind != FOLD_PART && in->kind != FOLD_ROWS_PART) continue;
        uint32_t id = nest_node(&u->l, i);
        const char *t = units_type(e, id, type), *y = emit_name(e, e->p->slot[e->p->view[id].slot].node);
        struct cr_text f = text_make(&e->mem);
        emit_fold_name(e, &f, id);
        emit_line(e, "const %s *const left_%s = (const %s *)(void *)(shared + %zu);", t, emit_name(e, id), t,
                  in->partial);
        if (in->kind == FOLD_PART)
            emit_line(e, "for (int64_t r = 0; r < %lld; r++) %s[r] = lines_%s(left_%s + r * %lld, %lld);",
                      (long long)u->rows, y, f.failed ? "" : f.s, emit_name(e, id), (long long)u->columns,
                      (long long)u->columns);
        else {
            int64_t blocks = pieces(u->rows, fold_rows);
            emit_line(e, "for (int64_t q = 0; q < %lld; q++) %s[q] = %s;", (long long)u->run, y,
                      emit_start(e, id));
            emit_open(e, "for (int64_t block = 0; block < %lld; block++)", (long long)blocks);
            emit_open(e, "VECTOR for (int64_t q = 0; q < %lld; q++)", (long long)u->run);
            char so_far[120], next[160];
            snprintf(so_far, sizeof so_far, "%.90s[q]", y);
            snprintf(next, sizeof next, "left_%.90s[block * %lld + q]", emit_name(e, id), (long long)u->run);
            combine(u, i, so_far, next, NULL);
            emit_close(e);
            emit_close(e);
        }
        text_drop(&f);
    }
    emit_close(e);
}

/* ---- The functions of a loop ---- */

static void any_units(struct units_of *u) {
    if (!u->folds) element_units(u);
    else if (u->blocks || u->columns > 1 || !plan_whole_rows(u->l.s)) block_units(u);
    else row_units(u);
    if (u->streams) emit_line(u->l.e, "STREAMED;");
}

/* Rooms of a row begin half a page from where the rows that are read do, if those are whole pages: a processor takes a number that is read soon
 * after another was written at the same place of another page for that one, and waits. Gives what it takes. */
static size_t part_rooms(struct units_of *u) {
    enum { page = 4096 };
    struct emitter *e = u->l.e;
    const struct access *a = NULL;
    for (uint32_t i = 0; i < u->loop->accesses && !a; i++)
        if (units_first_direct(u, i) && !u->loop->access[i].narrow) a = &u->loop->access[i];
    if (!a || u->run * (int64_t)cr_dtype_size((cr_dtype)a->dtype) % page || !nest_has_rooms(&u->l)) return 0;
    emit_line(e, "row += ((uintptr_t)%s + %d - (uintptr_t)row) %% %d / 64 * 64;",
              emit_name(e, e->p->slot[a->slot].node), page / 2, page);
    return page;
}

static void write_function(struct units_of *u, const char *head, size_t number) {
    struct emitter *e = u->l.e;
    nest_forget(&u->l);
    emit_open(e, "%s %s_%zu(char *const slot[], char *shared, char *row, int64_t first, int64_t end)",
              units_kind(e), head, number);
    e->rows_now = 0;
    emit_declare_slots(e, u->l.s);
    const size_t parted = part_rooms(u);
    nest_declare_rows(&u->l);
    declare_lines(u);
    e->rows_now += parted;
}

/* The largest angle of each dtype, of loops over elements and in lanes. */
static void near_function(struct units_of *u, size_t number) {
    struct emitter *e = u->l.e;
    write_function(u, "bool near", number);
    emit_line(e, "uint32_t most_f32 = 0, far_f32[%d] = {0};", fold_lanes);
    emit_line(e, "uint64_t most_f64 = 0, far_f64[%d] = {0};", fold_lanes);
    e->most = "most";
    any_units(u);
    e->most = NULL;
    emit_open(e, "for (int lane = 0; lane < %d; lane++)", fold_lanes);
    emit_line(e, "if (far_f32[lane] > most_f32) most_f32 = far_f32[lane];");
    emit_line(e, "if (far_f64[lane] > most_f64) most_f64 = far_f64[lane];");
    emit_close(e);
    emit_line(e, "return most_f32 <= bits_f32((float)F64_NEAR) && most_f64 <= bits_f64(F64_NEAR);");
    emit_close(e);
}

/* Some thousand numbers at a time, of which one may be large. */
static void looking_function(struct units_of *u, size_t number, int64_t units) {
    enum { at_once = 4096 };
    struct emitter *e = u->l.e;
    int64_t step = at_once / (u->loop->count / units);
    near_function(u, number);
    write_function(u, "void far", number);
    any_units(u);
    emit_close(e);
    emit_open(e, "%s void loop_%zu(char *const slot[], char *shared, char *row, int64_t first, int64_t end)",
              units_kind(e), number);
    emit_open(e, "for (int64_t from = first, to; from < end; from = to)");
    emit_line(e, "to = end - from > %lld ? from + %lld : end;", (long long)(step > 1 ? step : 1),
              (long long)(step > 1 ? step : 1));
    emit_line(e, "if (!near_%zu(slot, shared, row, from, to)) far_%zu(slot, shared, row, from, to);", number,
              number);
    emit_close(e);
    emit_close(e);
}

bool emit_units(struct emitter *e, const struct step *s, const struct loop *loop, size_t number,
                struct kernel_units *out) {
    struct units_of u = {.l = {.e = e, .s = s},
                         .loop = loop,
                         .rows = loop->rows,
                         .run = loop->run,
                         .columns = 1,
                         .folds = s->lines || s->rows_too,
                         .blocks = s->rows_too};
    nest_make(&u.l);
    if (!u.folds) e->nest.rows = 0;
    if (u.folds && !plan_whole_rows(s)) u.columns = pieces(u.run, fold_block);
    if (!units_can_be(&u)) return false;
    *out = (struct kernel_units){.made = true};
    if (!u.folds) out->count = e->nest.n ? e->nest.axis[0].size : 1;
    else out->count = (u.blocks ? pieces(u.rows, fold_rows) : u.rows) * u.columns;
    units_choose_streamed(&u);
    if (units_looks(&u)) {
        looking_function(&u, number, out->count);
    } else {
        write_function(&u, "void loop", number);
        any_units(&u);
        emit_close(e);
    }
    if (loop->shared) write_end(&u, number);
    out->row = e->rows_now;
    out->streams = u.streams;
    return true;
}

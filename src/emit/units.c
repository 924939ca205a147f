/* A loop as C with the bits of the built-in way: the same lanes, blocks and units (device/cpu/fold.inc, loop/loop.h). */
#include "emit/units.h"

#include <stdio.h>

#include "base/whole.h"
#include "tensor/dtype.h"

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
    const long long numbers = units_is_short(u) ? units_lanes_of(u) : u->run;
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
    units_declare_carried(u);
    emit_open(e, "for (int64_t r = first; r < end; r++)");
    units_declare_rooms(u);
    if (u->loop->diagonal) /* plan_up_to */
        emit_line(
            e,
            "const int64_t low = 0, up_to = (r %% %lld / %d + 1) * %d, high = up_to < %lld ? up_to : %lld;",
            (long long)u->loop->diagonal, diagonal_rows, diagonal_rows, (long long)u->run, (long long)u->run);
    else emit_line(e, "const int64_t low = 0, high = %lld;", (long long)u->run);
    nest_row_indices(e, "int64_t", "r");
    units_passes(u, "0");
    emit_close(e);
    units_end_rows(u);
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
    units_passes(u, "unit");
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
        if (i) units_open_axis(e, i, i == n - 1);
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
    if (u->streams) units_streamed_loop(u, 0);
    else if (asks) units_lanes_loop(u, 0);
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
        if (!units_folds_line(u, i) || units_columns(u) == 1) continue;
        snprintf(name, sizeof name, "fold_%.80s", emit_name(e, id));
        emit_scratch(e, units_type(e, id, type), name, u->run);
    }
}

/* What units left, combined in their order. */
static void write_end(struct units_of *u, size_t number) {
    struct emitter *e = u->l.e;
    char type[80];
    emit_open_on_slots(
        e, u->l.s, &(struct on_slots){units_kind(e), "void", "end", ", char *shared", ", shared"}, number);
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
            units_combine(u, i, so_far, next, NULL);
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
 * after another was written at the same place of another page for that one, and waits. Of two rooms each a third. Gives what it takes. */
static size_t part_rooms(struct units_of *u) {
    struct emitter *e = u->l.e;
    const struct access *a = NULL;
    for (uint32_t i = 0; i < u->loop->accesses && !a; i++)
        if (units_first_direct(u, i) && !u->loop->access[i].narrow) a = &u->loop->access[i];
    if (!a || u->run * (int64_t)cr_dtype_size((cr_dtype)a->dtype) % memory_page || !nest_rooms(&u->l))
        return 0;
    emit_line(e, "row += ((uintptr_t)%s + %d - (uintptr_t)row) %% %d / 64 * 64;",
              emit_name(e, e->p->slot[a->slot].node), u->weave.on ? part_of_page : memory_page / 2,
              memory_page);
    return memory_page;
}

static void write_function(struct units_of *u, const char *type, const char *name, size_t number) {
    struct emitter *e = u->l.e;
    nest_forget(&u->l);
    emit_open_on_slots(e, u->l.s, &(struct on_slots){units_kind(e), type, name, TAKES_UNITS}, number);
    e->rows_now = 0;
    const size_t parted = part_rooms(u);
    if (u->weave.on) e->rows_now = 2 * u->weave.room;
    else nest_declare_rows(&u->l);
    declare_lines(u);
    e->rows_now += parted;
}

/* The largest angle of each dtype, of loops over elements and in lanes. */
static void near_function(struct units_of *u, size_t number) {
    struct emitter *e = u->l.e;
    write_function(u, "bool", "near", number);
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
    write_function(u, "void", "far", number);
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
    units_choose_woven(&u);
    if (units_looks(&u)) {
        looking_function(&u, number, out->count);
    } else {
        write_function(&u, "void", "loop", number);
        any_units(&u);
        emit_close(e);
    }
    if (loop->shared) write_end(&u, number);
    out->row = e->rows_now;
    out->streams = u.streams;
    return true;
}

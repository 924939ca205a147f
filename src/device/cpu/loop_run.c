/* The built-in way to run a loop: unit by unit, tile by tile, one instruction after the other over the tile. */
#include <string.h>

#include "base/whole.h"
#include "device/device.h"
#include "tensor/dtype.h"

struct loop_job {
    const struct loop *l;
    const struct kernel *kernel;
    char *const *slot;
    const struct team *team;
    char *shared;    /* what units leave */
    int64_t columns; /* units side by side */
    int64_t units;
    size_t parts;
};

/* Where a tile is: rows, and elements side by side from `first` on, which is number `column` of its row. */
struct tile {
    char *buffers;
    int64_t row, rows, first, column, n;
    bool fresh; /* this task's first */
};

size_t cpu_loop_scratch(const struct loop *l) {
    return l->buffers * l->buffer_bytes + l->rooms * l->room_bytes;
}

static void fill(const struct loop_job *j, const struct access *a, const struct tile *t) {
    const struct loop *l = j->l;
    size_t size = cr_dtype_size((cr_dtype)a->dtype);
    const int64_t none = 0, *numbers = l->numbers + a->numbers;
    char *to = t->buffers + a->buffer * l->buffer_bytes;
    const char *from = j->slot[a->slot] + a->offset * (int64_t)size;
    int64_t whole = least(l->tile_rows * l->tile_cols, l->count); /* later tiles may be longer than this */
    if (a->kind == ACCESS_STRIDED && !a->again) {
        if (a->constant && t->column) return;
        copy_range(to, from, size, a->rank, numbers, numbers + a->rank, a->narrow ? t->row : t->first,
                   a->narrow ? t->rows : t->n);
    } else if (t->fresh && a->again) {
        copy_range(to, from, size, a->rank, numbers, numbers + a->rank, 0, whole);
    } else if (t->fresh) {
        int64_t n = a->narrow ? l->tile_rows : whole;
        copy_range(to, from, size, 1, &n, &none, 0, n);
    }
}

static char *place(const struct loop_job *j, struct place at, const struct tile *t) {
    const struct loop *l = j->l;
    if (at.kind == IN_BUFFER) return t->buffers + at.index * l->buffer_bytes;
    if (at.kind == IN_ROOM)
        return t->buffers + l->buffers * l->buffer_bytes + at.index * l->room_bytes +
               (size_t)t->column * l->widest;
    const struct access *a = &l->access[at.index];
    int64_t first = a->narrow ? t->row : a->kind == ACCESS_LINE ? t->column : t->first;
    return j->slot[a->slot] + (size_t)(a->offset + first) * cr_dtype_size((cr_dtype)a->dtype);
}

static char *state_of(const struct loop_job *j, uint32_t i, const struct tile *t) {
    return t->buffers + j->l->instruction[i].state * j->l->buffer_bytes;
}

/* Of a FOLD_ROWS_PART: the row that the unit with the tile leaves, from the tile's first column on. */
static char *row_left(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct instruction *in = &j->l->instruction[i];
    int64_t at = t->row / j->l->unit_rows * j->l->run + t->column;
    return j->shared + in->partial + (size_t)at * cr_dtype_size((cr_dtype)in->to);
}

static void fold(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct instruction *in = &j->l->instruction[i];
    const struct fold *f = j->kernel[i].fold;
    char *x = place(j, in->operand[0], t);
    if (in->kind == FOLD_ROWS_PART) f->rows(row_left(j, i, t), x, t->rows, t->n / t->rows);
    else if (in->kind == FOLD_PART || j->l->by_passes) f->lanes(state_of(j, i, t), x, t->n);
    else f->lines(x, t->rows, t->n / t->rows, place(j, in->result, t));
}

/* What an elementwise instruction does to a tile. */
static struct call call_of(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct instruction *in = &j->l->instruction[i];
    return (struct call){.fn = j->kernel[i].element,
                         .count = in->kind == DO_WIDE ? t->n : t->rows,
                         .n = in->n,
                         .y = place(j, in->result, t),
                         .a = place(j, in->operand[0], t),
                         .b = place(j, in->operand[1], t),
                         .c = place(j, in->operand[2], t)};
}

/* Instructions first .. end-1, over a tile. */
static void run_tile(const struct loop_job *j, const struct tile *t, uint32_t first, uint32_t end) {
    const struct loop *l = j->l;
    const struct access *a = l->access + (first ? l->instruction[first - 1].accesses : 0);
    for (uint32_t i = first; i < end; i++) {
        const struct instruction *in = &l->instruction[i];
        for (const struct access *last = l->access + in->accesses; a < last; a++)
            if (a->kind == ACCESS_REPEAT || a->kind == ACCESS_STRIDED) fill(j, a, t);
        if (in->kind > DO_NARROW) {
            fold(j, i, t);
        } else {
            struct call c = call_of(j, i, t);
            call_make(&c);
        }
    }
}

/* ---- Rows, pass by pass ---- */

static void start_lines(const struct loop_job *j, const struct tile *t, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++)
        if (j->l->instruction[i].kind == FOLD_WHOLE) j->kernel[i].fold->start(state_of(j, i, t), fold_lanes);
}

/* What the lanes come to stands behind them, block after block of the line: at most whole_most / fold_block. */
static char *pieces_of(const struct loop_job *j, uint32_t i, const struct tile *t) {
    return state_of(j, i, t) + fold_lanes * sizeof(int64_t);
}

static void end_block(const struct loop_job *j, const struct tile *t, int64_t block, uint32_t first,
                      uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        size_t size = cr_dtype_size((cr_dtype)j->l->instruction[i].to);
        if (j->l->instruction[i].kind != FOLD_WHOLE) continue;
        j->kernel[i].fold->finish(state_of(j, i, t), pieces_of(j, i, t) + (size_t)block * size);
    }
}

static void end_lines(const struct loop_job *j, const struct tile *t, int64_t blocks, uint32_t first,
                      uint32_t end) {
    for (uint32_t i = first; i < end; i++)
        if (j->l->instruction[i].kind == FOLD_WHOLE)
            j->kernel[i].fold->lines(pieces_of(j, i, t), 1, blocks, place(j, j->l->instruction[i].result, t));
}

static int64_t row_end(const struct loop *l, int64_t row) {
    return l->diagonal ? plan_up_to(row % l->diagonal, l->run) : l->run;
}

/* One pass over a row, along instructions first .. narrow-1, then those of one number for the row. */
static void run_pass(const struct loop_job *j, struct tile t, uint32_t first, uint32_t narrow, uint32_t end) {
    const struct loop *l = j->l;
    const struct tile row = t;
    const int64_t run = row_end(l, t.row);
    for (int64_t at = 0, block = 0; first < narrow && at < run; at += fold_block, block++) {
        int64_t block_end = least(at + fold_block, run);
        start_lines(j, &t, first, narrow);
        for (t.column = at; t.column < block_end; t.column += l->tile_cols) {
            t.first = t.row * l->run + t.column;
            t.n = least(l->tile_cols, block_end - t.column);
            run_tile(j, &t, first, narrow);
            t.fresh = false;
        }
        end_block(j, &t, block, first, narrow);
    }
    end_lines(j, &row, pieces(run, fold_block), first, narrow);
    run_tile(j, &row, narrow, end);
}

static void run_row(const struct loop_job *j, const struct tile *t) {
    const struct loop *l = j->l;
    for (uint32_t first = 0, end = 0; first < l->instructions; first = end) {
        uint32_t narrow = first;
        while (end < l->instructions && l->instruction[end].pass == l->instruction[first].pass) end++;
        while (narrow < end && l->instruction[narrow].kind != DO_NARROW) narrow++;
        run_pass(j, *t, first, narrow, end);
    }
}

/* ---- Units ---- */

/* Lanes of a line, or the unit's part of a row. */
static void start_folds(const struct loop_job *j, const struct tile *t, int64_t columns) {
    for (uint32_t i = 0; i < j->l->instructions; i++) {
        enum instruction_kind kind = j->l->instruction[i].kind;
        if (kind == FOLD_PART) j->kernel[i].fold->start(state_of(j, i, t), fold_lanes);
        if (kind == FOLD_ROWS_PART) j->kernel[i].fold->start(row_left(j, i, t), columns);
    }
}

/* The number that the unit leaves. */
static void leave_folds(const struct loop_job *j, const struct tile *t, int64_t unit) {
    for (uint32_t i = 0; i < j->l->instructions; i++) {
        const struct instruction *in = &j->l->instruction[i];
        if (in->kind != FOLD_PART) continue;
        size_t size = cr_dtype_size((cr_dtype)in->to);
        char *partial = j->shared + in->partial;
        j->kernel[i].fold->finish(state_of(j, i, t), partial + (size_t)unit * size);
    }
}

static void run_unit(const struct loop_job *j, char *buffers, int64_t unit, bool fresh) {
    const struct loop *l = j->l;
    int64_t row = unit / j->columns * l->unit_rows, rows = least(l->unit_rows, l->rows - row);
    int64_t column = unit % j->columns * l->unit_cols, columns = least(l->unit_cols, l->run - column);
    if (l->diagonal) columns = row_end(l, row);
    const struct tile start = {.buffers = buffers, .row = row, .column = column, .fresh = fresh};
    int64_t step = l->by_passes ? l->run : l->tile_cols;
    if (l->shared) start_folds(j, &start, columns);
    for (struct tile t = start; t.row < row + rows; t.row += l->tile_rows) {
        t.rows = least(l->tile_rows, row + rows - t.row);
        for (t.column = column; t.column < column + columns; t.column += step) {
            t.first = t.row * l->run + t.column;
            t.n = t.rows * least(l->tile_cols, column + columns - t.column);
            if (l->by_passes) run_row(j, &t);
            else run_tile(j, &t, 0, l->instructions);
            t.fresh = false;
        }
    }
    if (l->shared) leave_folds(j, &start, unit);
}

static void run_part(void *arg, size_t part) {
    const struct loop_job *j = arg;
    int64_t first, end;
    team_part(j->units, j->parts, part, &first, &end);
    for (int64_t u = first; u < end; u++) run_unit(j, team_scratch(j->team, part), u, u == first);
}

/* What the units left, combined in their order. */
static void finish_folds(const struct loop_job *j) {
    const struct loop *l = j->l;
    struct tile all = {0};
    for (uint32_t i = 0; i < l->instructions; i++) {
        const struct instruction *in = &l->instruction[i];
        const struct fold *f = j->kernel[i].fold;
        const char *partial = j->shared + in->partial;
        if (in->kind == FOLD_PART) f->lines(partial, l->rows, j->columns, place(j, in->result, &all));
        if (in->kind != FOLD_ROWS_PART) continue;
        f->start(place(j, in->result, &all), l->run);
        f->rows(place(j, in->result, &all), partial, j->units / j->columns, l->run);
    }
}

static struct loop_job job_of(const struct loop *l, const struct kernel kernel[], char *const slot[],
                              char *shared) {
    struct loop_job j = {.l = l, .kernel = kernel, .slot = slot, .shared = shared, .parts = 1};
    j.columns = pieces(l->run, l->unit_cols);
    j.units = pieces(l->rows, l->unit_rows) * j.columns;
    return j;
}

void cpu_loop(const struct loop *l, const struct kernel kernel[], char *const slot[],
              const struct team *team) {
    struct loop_job j = job_of(l, kernel, slot, team->shared);
    if (l->count == 0) return;
    j.team = team;
    j.parts = loop_parts(l, team->tasks, j.units);
    if (j.parts > 1) team_run(team, j.parts, run_part, &j);
    else run_part(&j, 0);
    if (l->shared) finish_folds(&j);
}

void cpu_loop_rows(const struct loop *l, const struct kernel kernel[], char *const slot[], char *shared,
                   char *scratch, int64_t first, int64_t end) {
    struct loop_job j = job_of(l, kernel, slot, shared);
    if (l->count == 0) return;
    int64_t unit = first / l->unit_rows * j.columns, last = pieces(end, l->unit_rows) * j.columns;
    for (int64_t u = unit; u < last; u++) run_unit(&j, scratch, u, u == unit);
}

void cpu_loop_end(const struct loop *l, const struct kernel kernel[], char *const slot[], char *shared) {
    struct loop_job j = job_of(l, kernel, slot, shared);
    if (l->count > 0) finish_folds(&j);
}

bool cpu_loop_calls(const struct loop *l, const struct kernel kernel[], char *const slot[],
                    const struct team *team, struct call out[]) {
    struct loop_job j = {.l = l, .kernel = kernel, .slot = slot, .team = team};
    struct tile all = {.buffers = team_scratch(team, 0), .rows = l->rows, .n = l->count};
    if (l->rows > l->tile_rows || l->run > l->tile_cols || l->rows > l->unit_rows || l->run > l->unit_cols)
        return false;
    for (size_t i = 0; i < l->accesses; i++)
        if (l->access[i].kind != ACCESS_DIRECT) return false;
    for (uint32_t i = 0; i < l->instructions; i++)
        if (l->instruction[i].kind > DO_NARROW) return false;
    for (uint32_t i = 0; i < l->instructions; i++) out[i] = call_of(&j, i, &all);
    return true;
}

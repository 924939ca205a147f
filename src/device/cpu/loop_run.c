/* The built-in way to run a loop: unit by unit, tile by tile, one instruction after the other over the tile. */
#include <string.h>

#include "device/device.h"
#include "tensor/dtype.h"

struct loop_job {
    const struct loop *l;
    const struct kernel *kernel;
    char *const *slot;
    const struct team *team;
    int64_t columns; /* units side by side */
    int64_t units;
    size_t parts;
};

/* Where a tile is: rows, and elements side by side from `first` on. */
struct tile {
    char *buffers;
    int64_t row, rows, first, n;
    bool fresh; /* this task's first */
};

size_t cpu_loop_scratch(const struct loop *l) { return l->buffers * l->buffer_bytes; }

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void fill(const struct loop_job *j, const struct access *a, const struct tile *t) {
    const struct loop *l = j->l;
    size_t size = cr_dtype_size((cr_dtype)a->dtype);
    const int64_t none = 0, *numbers = l->numbers + a->numbers;
    char *to = t->buffers + a->buffer * l->buffer_bytes;
    const char *from = j->slot[a->slot] + a->offset * (int64_t)size;
    if (a->kind == ACCESS_STRIDED) {
        copy_range(to, from, size, a->rank, numbers, numbers + a->rank, a->narrow ? t->row : t->first,
                   a->narrow ? t->rows : t->n);
    } else if (t->fresh) { /* a whole tile of it: later ones may be longer than this */
        int64_t n = a->narrow ? l->tile_rows : least(l->tile_rows * l->tile_cols, l->count);
        copy_range(to, from, size, 1, &n, &none, 0, n);
    }
}

static char *place(const struct loop_job *j, struct place at, const struct tile *t) {
    if (at.in_buffer) return t->buffers + at.index * j->l->buffer_bytes;
    const struct access *a = &j->l->access[at.index];
    return j->slot[a->slot] +
           (size_t)(a->offset + (a->narrow ? t->row : t->first)) * cr_dtype_size((cr_dtype)a->dtype);
}

static void fold(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct instruction *in = &j->l->instruction[i];
    const struct fold *f = j->kernel[i].fold;
    char *x = place(j, in->operand[0], t), *state = t->buffers + in->state * j->l->buffer_bytes;
    if (in->kind == FOLD_WHOLE) f->lines(x, t->rows, t->n / t->rows, place(j, in->result, t));
    else if (in->kind == FOLD_PART) f->lanes(state, x, t->n);
    else f->rows(state, x, t->rows, t->n / t->rows);
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

static void run_tile(const struct loop_job *j, const struct tile *t) {
    const struct access *a = j->l->access;
    for (uint32_t i = 0; i < j->l->instructions; i++) {
        const struct instruction *in = &j->l->instruction[i];
        for (const struct access *end = j->l->access + in->accesses; a < end; a++)
            if (a->kind != ACCESS_DIRECT) fill(j, a, t);
        if (in->kind > DO_NARROW) {
            fold(j, i, t);
        } else {
            struct call c = call_of(j, i, t);
            call_make(&c);
        }
    }
}

/* ---- Units ---- */

static void start_folds(const struct loop_job *j, char *buffers, int64_t columns) {
    for (uint32_t i = 0; i < j->l->instructions; i++) {
        const struct instruction *in = &j->l->instruction[i];
        if (in->kind < FOLD_PART) continue;
        j->kernel[i].fold->start(buffers + in->state * j->l->buffer_bytes,
                                 in->kind == FOLD_PART ? fold_lanes : columns);
    }
}

/* What the unit leaves: one number, or the unit's part of a row. */
static void leave_folds(const struct loop_job *j, char *buffers, int64_t unit, int64_t columns) {
    const struct loop *l = j->l;
    for (uint32_t i = 0; i < l->instructions; i++) {
        const struct instruction *in = &l->instruction[i];
        if (in->kind < FOLD_PART) continue;
        size_t size = cr_dtype_size((cr_dtype)in->to);
        char *state = buffers + in->state * l->buffer_bytes, *partial = j->team->shared + in->partial;
        int64_t at = unit / j->columns * l->run + unit % j->columns * l->unit_cols;
        if (in->kind == FOLD_PART) j->kernel[i].fold->finish(state, partial + (size_t)unit * size);
        else memcpy(partial + (size_t)at * size, state, (size_t)columns * size);
    }
}

static void run_unit(const struct loop_job *j, char *buffers, int64_t unit, bool fresh) {
    const struct loop *l = j->l;
    int64_t row = unit / j->columns * l->unit_rows, rows = least(l->unit_rows, l->rows - row);
    int64_t column = unit % j->columns * l->unit_cols, columns = least(l->unit_cols, l->run - column);
    if (l->diagonal) columns = plan_up_to(row % l->diagonal, l->run);
    if (l->shared) start_folds(j, buffers, columns);
    for (int64_t r = 0; r < rows; r += l->tile_rows)
        for (int64_t c = 0; c < columns; c += l->tile_cols) {
            struct tile t = {.buffers = buffers, .row = row + r, .rows = least(l->tile_rows, rows - r)};
            t.first = t.row * l->run + column + c;
            t.n = t.rows * least(l->tile_cols, columns - c);
            t.fresh = fresh && r == 0 && c == 0;
            run_tile(j, &t);
        }
    if (l->shared) leave_folds(j, buffers, unit, columns);
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
        const char *partial = j->team->shared + in->partial;
        if (in->kind == FOLD_PART) f->lines(partial, l->rows, j->columns, place(j, in->result, &all));
        if (in->kind != FOLD_ROWS_PART) continue;
        f->start(place(j, in->result, &all), l->run);
        f->rows(place(j, in->result, &all), partial, j->units / j->columns, l->run);
    }
}

void cpu_loop(const struct loop *l, const struct kernel kernel[], char *const slot[],
              const struct team *team) {
    struct loop_job j = {l, kernel, slot, team, 1, 1, 1};
    if (l->count == 0) return;
    j.columns = (l->run + l->unit_cols - 1) / l->unit_cols;
    j.units = (l->rows + l->unit_rows - 1) / l->unit_rows * j.columns;
    j.parts = loop_parts(l, team->tasks, j.units);
    if (j.parts > 1) team_run(team, j.parts, run_part, &j);
    else run_part(&j, 0);
    if (l->shared) finish_folds(&j);
}

void cpu_loop_rows(const struct loop *l, const struct kernel kernel[], char *const slot[], char *scratch,
                   int64_t first, int64_t end) {
    struct loop_job j = {l, kernel, slot, NULL, 1, 1, 1};
    if (l->count == 0) return;
    for (int64_t row = first; row < end; row += l->unit_rows)
        run_unit(&j, scratch, row / l->unit_rows, row == first);
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

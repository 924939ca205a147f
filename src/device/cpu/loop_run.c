/* The built-in way to run a loop: unit by unit, tile by tile, one instruction after the other over the tile. */
#include <string.h>

#include "base/ahead.h"
#include "base/whole.h"
#include "device/device.h"
#include "tensor/dtype.h"

/* Numbers of all accesses together that no second cache holds; and no last one: what comes from so far is too late for the first. */
enum { far_numbers = 1 << 18, farthest_numbers = 1 << 22 };

struct loop_job {
    const struct loop *l;
    const struct kernel *kernel;
    char *const *slot;
    const struct team *team;
    char *shared;    /* what units leave */
    int64_t columns; /* units side by side */
    int64_t units;
    size_t parts;
    bool ahead, far_ahead; /* the next tile is asked for, into the first cache or the second */
};

/* Where numbers stand in any tile: so many bytes further on for each element, row or column that the tile is. */
enum moves_by { STAYS, BY_ELEMENT, BY_ROW, BY_COLUMN, MOVES };
enum { line_bytes = 64 };
struct spot {
    char *at;
    uint8_t size, by;
    bool ahead; /* asked for before it is needed */
};

/* An instruction with its numbers found, by a task for all of its tiles. */
struct bound {
    struct spot spot[1 + 3]; /* of the result, and the operands */
    struct kernel kernel;
    char *state; /* lanes of a fold that goes on from tile to tile */
    int64_t n;
    const struct access *access, *end; /* first read here */
    uint8_t kind, operands;
    uint8_t fills; /* tiles of those: 0: none, 1: the task's first alone, 2: each */
    bool ahead;    /* some of its spots are */
    bool asks;
    uint8_t part, shift; /* it asks for this of 2^shift parts of: */
    struct spot ask;
};

/* Where a tile is, by moves_by: elements side by side, rows and the column from which on. */
struct tile {
    char *buffers;
    const struct bound *bound;
    int64_t at[MOVES];
    int64_t rows, n;
    bool fresh; /* this task's first */
};

size_t cpu_loop_scratch(const struct loop *l) {
    return l->buffers * l->buffer_bytes + l->rooms * l->room_bytes + l->instructions * sizeof(struct bound);
}

/* ---- An instruction's numbers ---- */

static inline void find_spot(const struct loop_job *j, struct place at, char *buffers, struct spot *s) {
    const struct loop *l = j->l;
    if (at.kind == IN_ACCESS) {
        const struct access *a = &l->access[at.index];
        s->at = j->slot[a->slot] + a->offset * a->size;
        s->size = a->size;
        s->by = a->narrow ? BY_ROW : a->kind == ACCESS_LINE ? BY_COLUMN : BY_ELEMENT;
        s->ahead = j->ahead && a->far;
    } else {
        bool room = at.kind == IN_ROOM;
        size_t before = room ? l->buffers * l->buffer_bytes : 0,
               each = room ? l->room_bytes : l->buffer_bytes;
        s->at = buffers + before + at.index * each;
        s->size = (uint8_t)l->widest;
        s->by = room ? BY_COLUMN : STAYS;
        s->ahead = false;
    }
}

static inline char *spot_at(const struct spot *s, const struct tile *t) {
    return s->at + t->at[s->by] * s->size;
}

/* Instruction i, which begins with access `first`: only where it is met first is an access asked for ahead. */
static void bind(const struct loop_job *j, uint32_t i, uint32_t first, char *buffers, struct bound *b) {
    const struct loop *l = j->l;
    const struct instruction *in = &l->instruction[i];
    b->kind = in->kind;
    b->fills = in->fills;
    b->ahead = b->asks = false;
    b->n = in->operands > 1 ? in->repeats : in->n;
    b->kernel = j->kernel[i];
    b->access = l->access + first, b->end = l->access + in->accesses;
    b->state = buffers + in->state * l->buffer_bytes;
    b->operands = in->operands;
    for (uint32_t k = in->kind > FOLD_WHOLE; k <= in->operands; k++) {
        struct place at = k ? in->operand[k - 1] : in->result;
        find_spot(j, at, buffers, &b->spot[k]);
        if (!j->ahead) continue;
        b->spot[k].ahead = b->spot[k].ahead && at.index >= first;
        b->ahead = b->ahead || b->spot[k].ahead;
    }
}

/* The instructions of a pass share what it asks for evenly, so that memory answers while they compute: each a 2^shift-th of one spot. */
static void share_asking(struct bound *b, uint32_t n) {
    struct spot *ask[ahead_most];
    uint32_t all = 0, shift = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = b[i].kind > FOLD_WHOLE; k <= b[i].operands && b[i].ahead; k++)
            if (b[i].spot[k].ahead && all < least(n, ahead_most)) ask[all++] = &b[i].spot[k];
    while (all && all << (shift + 1) <= n && shift < 3) shift++;
    for (uint32_t i = 0; i < all << shift; i++) {
        b[i].asks = true;
        b[i].ask = *ask[i >> shift];
        b[i].part = (uint8_t)(i & ((1u << shift) - 1));
        b[i].shift = (uint8_t)shift;
    }
}

/* The task's instructions, behind its buffers and rooms. */
static struct bound *bind_all(const struct loop_job *j, char *buffers) {
    const struct loop *l = j->l;
    struct bound *b = (void *)(buffers + l->buffers * l->buffer_bytes + l->rooms * l->room_bytes);
    for (uint32_t i = 0; i < l->instructions; i++)
        bind(j, i, i ? l->instruction[i - 1].accesses : 0, buffers, &b[i]);
    for (uint32_t i = 0, end = 0; j->ahead && i < l->instructions; i = end) {
        while (end < l->instructions && l->instruction[end].pass == l->instruction[i].pass &&
               (!l->by_passes || l->instruction[end].kind != DO_NARROW))
            end++;
        share_asking(&b[i], end - i);
        while (end < l->instructions && l->instruction[end].pass == l->instruction[i].pass) end++;
    }
    return b;
}

/* ---- A tile ---- */

static void fill(const struct loop_job *j, const struct access *a, const struct tile *t) {
    const struct loop *l = j->l;
    size_t size = cr_dtype_size((cr_dtype)a->dtype);
    const int64_t none = 0, *numbers = l->numbers + a->numbers;
    char *to = t->buffers + a->buffer * l->buffer_bytes;
    const char *from = j->slot[a->slot] + a->offset * (int64_t)size;
    int64_t whole = least(l->tile_rows * l->tile_cols, l->count); /* later tiles may be longer than this */
    if (a->kind == ACCESS_STRIDED && !a->again) {
        if (a->constant && t->at[BY_COLUMN]) return;
        int64_t n = a->narrow ? t->rows : t->n;
        copy_range(to, from, size, a->rank, numbers, numbers + a->rank,
                   a->narrow ? t->at[BY_ROW] : t->at[BY_ELEMENT], a->block ? least(n, element_block) : n);
    } else if (t->fresh && a->again) {
        copy_range(to, from, size, a->rank, numbers, numbers + a->rank, 0, whole);
    } else if (t->fresh) {
        int64_t n = a->narrow ? l->tile_rows : a->block ? element_block : whole;
        copy_range(to, from, size, 1, &n, &none, 0, n);
    }
}

/* What stands behind the tile's numbers, where the next tile is, is asked for: else an instruction waits for a whole tile at once, and
 * memory for the others. */
static void ask_ahead(const struct bound *b, const struct tile *t, bool far) {
    uint64_t bytes = (uint64_t)t->n * b->ask.size, from = bytes * b->part >> b->shift;
    uintptr_t next = (uintptr_t)spot_at(&b->ask, t) + (uintptr_t)bytes;
    uintptr_t at = next + (uintptr_t)from, end = next + (uintptr_t)(bytes * (b->part + 1u) >> b->shift);
    if (far)
        for (; at < end; at += line_bytes) FAR_AHEAD(at);
    else
        for (; at < end; at += line_bytes) AHEAD(at);
}

/* Of a FOLD_ROWS_PART: the row that the unit with the tile leaves, from the tile's first column on. */
static char *row_left(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct instruction *in = &j->l->instruction[i];
    int64_t at = t->at[BY_ROW] / j->l->unit_rows * j->l->run + t->at[BY_COLUMN];
    return j->shared + in->partial + (size_t)at * cr_dtype_size((cr_dtype)in->to);
}

static void fold(const struct loop_job *j, uint32_t i, const struct tile *t) {
    const struct bound *b = &t->bound[i];
    const char *x = spot_at(&b->spot[1], t);
    if (b->kind == FOLD_ROWS_PART) b->kernel.fold->rows(row_left(j, i, t), x, t->rows, t->n / t->rows);
    else if (b->kind == FOLD_PART || j->l->by_passes) b->kernel.fold->lanes(b->state, x, t->n);
    else b->kernel.fold->lines(x, t->rows, t->n / t->rows, spot_at(&b->spot[0], t));
}

/* What an elementwise instruction does to a tile. */
static inline struct call call_of(const struct bound *b, const struct tile *t) {
    return (struct call){.fn = b->kernel.element,
                         .count = b->kind == DO_WIDE ? t->n : t->rows,
                         .n = b->n,
                         .y = spot_at(&b->spot[0], t),
                         .a = spot_at(&b->spot[1], t),
                         .b = b->operands > 1 ? spot_at(&b->spot[2], t) : NULL,
                         .c = b->operands > 2 ? spot_at(&b->spot[3], t) : NULL};
}

/* Instructions first .. end-1, over a tile. */
static void run_tile(const struct loop_job *j, const struct tile *t, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        const struct bound *b = &t->bound[i];
        if (b->fills > 1 || (b->fills && t->fresh))
            for (const struct access *a = b->access; a < b->end; a++)
                if (a->kind == ACCESS_REPEAT || a->kind == ACCESS_STRIDED) fill(j, a, t);
        if (b->asks) ask_ahead(b, t, j->far_ahead);
        if (b->kind > DO_NARROW) {
            fold(j, i, t);
        } else {
            struct call c = call_of(b, t);
            call_make(&c);
        }
    }
}

/* ---- Rows, pass by pass ---- */

static void start_lines(const struct loop_job *j, const struct tile *t, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++)
        if (j->l->instruction[i].kind == FOLD_WHOLE)
            t->bound[i].kernel.fold->start(t->bound[i].state, fold_lanes);
}

/* What the lanes come to stands behind them, block after block of the line: at most whole_most / fold_block. */
static char *pieces_of(const struct bound *b) { return b->state + fold_lanes * sizeof(int64_t); }

static void end_block(const struct loop_job *j, const struct tile *t, int64_t block, uint32_t first,
                      uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        const struct bound *b = &t->bound[i];
        if (b->kind != FOLD_WHOLE) continue;
        size_t size = cr_dtype_size((cr_dtype)j->l->instruction[i].to);
        b->kernel.fold->finish(b->state, pieces_of(b) + (size_t)block * size);
    }
}

static void end_lines(const struct tile *t, int64_t blocks, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        const struct bound *b = &t->bound[i];
        if (b->kind == FOLD_WHOLE) b->kernel.fold->lines(pieces_of(b), 1, blocks, spot_at(&b->spot[0], t));
    }
}

static int64_t row_end(const struct loop *l, int64_t row) {
    return l->diagonal ? plan_up_to(row % l->diagonal, l->run) : l->run;
}

/* One pass over a row, along instructions first .. narrow-1, then those of one number for the row. */
static void run_pass(const struct loop_job *j, struct tile t, uint32_t first, uint32_t narrow, uint32_t end) {
    const struct loop *l = j->l;
    const struct tile row = t;
    const int64_t run = row_end(l, t.at[BY_ROW]);
    for (int64_t at = 0, block = 0; first < narrow && at < run; at += fold_block, block++) {
        int64_t block_end = least(at + fold_block, run);
        start_lines(j, &t, first, narrow);
        for (t.at[BY_COLUMN] = at; t.at[BY_COLUMN] < block_end; t.at[BY_COLUMN] += l->tile_cols) {
            t.at[BY_ELEMENT] = t.at[BY_ROW] * l->run + t.at[BY_COLUMN];
            t.n = least(l->tile_cols, block_end - t.at[BY_COLUMN]);
            run_tile(j, &t, first, narrow);
            t.fresh = false;
        }
        end_block(j, &t, block, first, narrow);
    }
    end_lines(&row, pieces(run, fold_block), first, narrow);
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
        if (kind == FOLD_PART) j->kernel[i].fold->start(t->bound[i].state, fold_lanes);
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
        j->kernel[i].fold->finish(t->bound[i].state, partial + (size_t)unit * size);
    }
}

static void run_unit(const struct loop_job *j, char *buffers, const struct bound *bound, int64_t unit,
                     bool fresh) {
    const struct loop *l = j->l;
    int64_t row = unit / j->columns * l->unit_rows, rows = least(l->unit_rows, l->rows - row);
    int64_t column = unit % j->columns * l->unit_cols, columns = least(l->unit_cols, l->run - column);
    if (l->diagonal) columns = row_end(l, row);
    const struct tile start = {buffers, bound, {[BY_ROW] = row, [BY_COLUMN] = column}, .fresh = fresh};
    int64_t step = l->by_passes ? l->run : l->tile_cols;
    if (l->shared) start_folds(j, &start, columns);
    for (struct tile t = start; t.at[BY_ROW] < row + rows; t.at[BY_ROW] += l->tile_rows) {
        t.rows = least(l->tile_rows, row + rows - t.at[BY_ROW]);
        for (int64_t at = column; at < column + columns; at += step) {
            t.at[BY_COLUMN] = at;
            t.at[BY_ELEMENT] = t.at[BY_ROW] * l->run + at;
            t.n = t.rows * least(l->tile_cols, column + columns - at);
            if (l->by_passes) run_row(j, &t);
            else run_tile(j, &t, 0, l->instructions);
            t.fresh = false;
        }
    }
    if (l->shared) leave_folds(j, &start, unit);
}

static void run_units(const struct loop_job *j, char *buffers, int64_t first, int64_t end) {
    const struct bound *bound = bind_all(j, buffers);
    for (int64_t u = first; u < end; u++) run_unit(j, buffers, bound, u, u == first);
}

static void run_part(void *arg, size_t part) {
    const struct loop_job *j = arg;
    int64_t first, end;
    team_part(j->units, j->parts, part, &first, &end);
    run_units(j, team_scratch(j->team, part), first, end);
}

/* What the units left, combined in their order. */
static void finish_folds(const struct loop_job *j) {
    const struct loop *l = j->l;
    for (uint32_t i = 0; i < l->instructions; i++) {
        const struct instruction *in = &l->instruction[i];
        const struct fold *f = j->kernel[i].fold;
        const char *partial = j->shared + in->partial;
        if (in->kind <= FOLD_WHOLE) continue;
        struct spot spot;
        find_spot(j, in->result, NULL, &spot);
        char *result = spot.at;
        if (in->kind == FOLD_PART) {
            f->lines(partial, l->rows, j->columns, result);
        } else {
            f->start(result, l->run);
            f->rows(result, partial, j->units / j->columns, l->run);
        }
    }
}

static struct loop_job job_of(const struct loop *l, const struct kernel kernel[], char *const slot[],
                              char *shared) {
    struct loop_job j = {.l = l, .kernel = kernel, .slot = slot, .shared = shared, .parts = 1};
    j.columns = pieces(l->run, l->unit_cols);
    j.ahead = l->count * (int64_t)l->accesses >= far_numbers;
    j.far_ahead = l->count * (int64_t)l->accesses >= farthest_numbers;
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
    run_units(&j, scratch, unit, last);
}

void cpu_loop_end(const struct loop *l, const struct kernel kernel[], char *const slot[], char *shared) {
    struct loop_job j = job_of(l, kernel, slot, shared);
    if (l->count > 0) finish_folds(&j);
}

bool cpu_loop_calls(const struct loop *l, const struct kernel kernel[], char *const slot[],
                    const struct team *team, struct call out[]) {
    struct loop_job j = {.l = l, .kernel = kernel, .slot = slot, .team = team};
    struct tile all = {.rows = l->rows, .n = l->count};
    if (l->rows > l->tile_rows || l->run > l->tile_cols || l->rows > l->unit_rows || l->run > l->unit_cols)
        return false;
    for (size_t i = 0; i < l->accesses; i++)
        if (l->access[i].kind != ACCESS_DIRECT) return false;
    for (uint32_t i = 0; i < l->instructions; i++)
        if (l->instruction[i].kind > DO_NARROW) return false;
    for (uint32_t i = 0; i < l->instructions; i++) {
        struct bound b;
        bind(&j, i, 0, team_scratch(team, 0), &b);
        out[i] = call_of(&b, &all);
    }
    return true;
}

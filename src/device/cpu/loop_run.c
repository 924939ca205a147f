/* The built-in way to run a loop: tile by tile, one instruction after the other over the tile. */
#include <string.h>

#include "device/device.h"
#include "tensor/dtype.h"

/* Below this many elements times instructions another thread costs more than it brings (some 10
 * microseconds). */
enum { worth_a_thread = 1 << 16 };

struct loop_job {
    const struct loop *l;
    element_fn *const *fn;
    char *const *slot;
    const struct team *team;
    size_t parts;
};

size_t cpu_loop_scratch(const struct loop *l) { return (size_t)l->buffers * tile_bytes; }

static char *direct(const struct loop_job *j, const struct access *a, int64_t first) {
    return j->slot[a->slot] + (size_t)(a->offset + first) * cr_dtype_size((cr_dtype)a->dtype);
}

static void fill(const struct loop_job *j, const struct access *a, char *buffers, int64_t first, int64_t n) {
    size_t size = cr_dtype_size((cr_dtype)a->dtype);
    const int64_t none = 0, *numbers = j->l->numbers + a->numbers;
    char *to = buffers + (size_t)a->buffer * tile_bytes;
    const char *from = j->slot[a->slot] + (size_t)a->offset * size;
    if (a->kind == ACCESS_REPEAT) copy_range(to, from, size, 1, &n, &none, 0, n);
    else copy_range(to, from, size, a->rank, numbers, numbers + a->rank, first, n);
}

static char *place(const struct loop_job *j, struct place at, char *buffers, int64_t first) {
    if (at.in_buffer) return buffers + (size_t)at.index * tile_bytes;
    return direct(j, &j->l->access[at.index], first);
}

static void run_tile(const struct loop_job *j, char *buffers, int64_t first, int64_t n, bool fresh) {
    for (size_t i = 0; i < j->l->accesses; i++) {
        const struct access *a = &j->l->access[i];
        if (a->kind == ACCESS_STRIDED || (a->kind == ACCESS_REPEAT && fresh)) fill(j, a, buffers, first, n);
    }
    for (uint32_t i = 0; i < j->l->instructions; i++) {
        const struct instruction *in = &j->l->instruction[i];
        char *y = place(j, in->result, buffers, first), *a = place(j, in->operand[0], buffers, first);
        char *b = place(j, in->operand[1], buffers, first), *c = place(j, in->operand[2], buffers, first);
        j->fn[i](n, y, a, b, c, in->n);
    }
}

/* The part starts at a multiple of the tile, so that tiles are the same for any number of parts. */
static void run_part(void *arg, size_t part) {
    const struct loop_job *j = arg;
    int64_t tile = j->l->tile, first, end, tiles = (j->l->count + tile - 1) / tile;
    char *buffers = team_scratch(j->team, part);
    team_part(tiles, j->parts, part, &first, &end);
    for (int64_t t = first; t < end; t++) {
        int64_t left = j->l->count - t * tile;
        run_tile(j, buffers, t * tile, left < tile ? left : tile, t == first);
    }
}

void cpu_loop(const struct loop *l, element_fn *const fn[], char *const slot[], const struct team *team) {
    struct loop_job j = {l, fn, slot, team, 1};
    if (l->count == 0) return;
    int64_t work = l->count * (int64_t)l->instructions, tiles = (l->count + l->tile - 1) / l->tile;
    int64_t parts = work / worth_a_thread;
    if (parts > (int64_t)team->tasks) parts = (int64_t)team->tasks;
    if (parts > tiles) parts = tiles;
    if (parts > 1) {
        j.parts = (size_t)parts;
        team_run(team, j.parts, run_part, &j);
    } else {
        run_part(&j, 0);
    }
}

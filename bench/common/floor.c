/* The least time that work can take on this machine, behind the line protocol:
 *
 *     floor THREADS NAME=COUNT ..
 *
 * A step does what takes longer, in equal parts on so many threads: it moves bytes, or it computes (floor_work.h: fma, exp, ..), each
 * of the kinds named after the other. Which one, its name says. Bytes:
 *
 *     read, write       of arrays that are read and of others that are written, a pass over each
 *     again, update     of an array that is read and written in place, behind a first pass over so many of its bytes that only reads
 *     each              no bytes: the time is that of so many things
 *
 * They are moved in the fastest of many ways, sought anew before each run: all that is read before all that is written, or in turns of a
 * few lines or a page, in one place or several, past the caches or through them; in place, from either end. What is written are numbers
 * read before: memory takes zeros at twice its rate. Work of microseconds is repeated, on the same bytes. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/floor_work.h"
#include "common/protocol.h"
#include "reference/team.h"
#include "reference/vector.h"

enum { LINES = 4 * LANES, PAGE = 1024, KINDS = 8, MOST_THREADS = 64, TRIALS = 3 };
static const double SHORT = 20e3, LONG = 50e3; /* ns: what is shorter is repeated until it takes as long */

/* Blocks of a few places in turns; 0: all at once. other: past the caches; in place, from the end to the beginning. */
struct way {
    size_t block, places;
    bool other;
};
static const struct way copies[] = {{0, 1, false},     {0, 1, true},     {LINES, 1, false}, {LINES, 1, true},
                                    {LINES, 2, false}, {LINES, 2, true}, {LINES, 4, false}, {LINES, 4, true},
                                    {PAGE, 1, false},  {PAGE, 1, true},  {PAGE, 2, false},  {PAGE, 2, true},
                                    {PAGE, 4, false},  {PAGE, 4, true}};
static const struct way updates[] = {{LINES, 1, false}, {LINES, 1, true}, {LINES, 3, false}, {LINES, 3, true},
                                     {PAGE, 1, false},  {PAGE, 1, true},  {PAGE, 3, false},  {PAGE, 3, true}};

/* What a thread does. Sizes are numbers, in whole steps of LINES. */
struct part {
    size_t read, write, again, update, count[KINDS];
    float *in, *out; /* out: also what is read and written in place */
    struct floor_hot hot;
};

struct side {
    int threads, kinds;
    size_t repeats;
    struct team *team;
    floor_work *work[KINDS];
    void (*step)(const struct side *, struct part *);
    struct way way;
    struct part part[MOST_THREADS];
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- Bytes ---- */

static void read(const float *x, size_t n, vector sum[4]) {
    for (size_t k = 0; k < n; k += LINES)
        for (size_t j = 0; j < 4; j++) sum[j] += vector_load(x + k + j * LANES);
}

static void write(float *x, size_t n, const vector sum[4], bool past) {
    for (size_t k = 0; past && k < n; k += LINES)
        for (size_t j = 0; j < 4; j++) vector_store_past(x + k + j * LANES, sum[j]);
    for (size_t k = 0; !past && k < n; k += LINES)
        for (size_t j = 0; j < 4; j++) vector_store(x + k + j * LANES, sum[j]);
}

/* Of n numbers in so many places, what is left of the block that begins at `from`. */
static size_t left(size_t n, size_t from, size_t block) { return from < n ? least(block, n - from) : 0; }

static void copy(struct part *p, struct way w) {
    vector sum[4] = {{0}};
    size_t most = p->read > p->write ? p->read : p->write, block = w.block ? w.block : most;
    size_t apart = (most / w.places + LINES - 1) / LINES * LINES;
    for (size_t k = 0; k < apart; k += block)
        for (size_t i = 0; i < w.places; i++) {
            size_t from = i * apart + k, n = least(block, apart - k);
            read(p->in + from, left(p->read, from, n), sum);
            write(p->out + from, left(p->write, from, n), sum, w.other);
        }
    p->hot.sum[0] = vector_sum(sum[0] + sum[1] + sum[2] + sum[3]);
}

static void replace(float *x, size_t n, const vector by[4]) {
    for (size_t k = 0; k < n; k += LINES)
        for (size_t j = 0; j < 4; j++)
            vector_store(x + k + j * LANES, vector_load(x + k + j * LANES) + by[j]);
}

static void update(struct part *p, struct way w) {
    vector sum[4] = {{0}};
    size_t apart = (p->update / w.places + LINES - 1) / LINES * LINES,
           blocks = (apart + w.block - 1) / w.block;
    read(p->out, p->again, sum);
    for (size_t j = 0; j < 4; j++) sum[j] *= 1e-30f;
    for (size_t b = 0; b < blocks; b++)
        for (size_t i = 0; i < w.places; i++) {
            size_t k = (w.other ? blocks - 1 - b : b) * w.block, from = i * apart + k;
            replace(p->out + from, left(p->update, from, least(w.block, apart - k)), sum);
        }
}

static void move(const struct side *s, struct part *p) {
    if (p->update) update(p, s->way);
    else copy(p, s->way);
}

/* ---- Operations ---- */

static void compute(const struct side *s, struct part *p) {
    for (int i = 0; i < s->kinds; i++) {
        s->work[i](&p->hot, p->count[i]);
        __asm__ volatile("" : : "r"(p) : "memory"); /* needed, so it is done */
    }
}

/* ---- The side ---- */

static void body(void *self, int i) {
    struct side *s = self;
    for (size_t k = 0; k < s->repeats; k++) {
        s->step(s, &s->part[i]);
        __asm__ volatile("" : : "r"(s) : "memory");
    }
}

static double once(struct side *s) {
    double start = protocol_clock_ns();
    team_run(s->team, body, s);
    return (protocol_clock_ns() - start) / (double)s->repeats;
}

static double time_of(struct side *s) {
    double best = once(s); /* the first one is no trial */
    for (int i = 0; i < TRIALS; i++) best = fmin(i ? best : HUGE_VAL, once(s));
    return best;
}

static double seek_way(struct side *s) {
    bool in_place = s->part[0].update;
    const struct way *way = in_place ? updates : copies, *best = way;
    size_t n = in_place ? sizeof updates / sizeof *updates : sizeof copies / sizeof *copies;
    double least = HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        s->way = way[i];
        double ns = time_of(s);
        if (ns < least) least = ns, best = &way[i];
    }
    s->way = *best;
    return least;
}

/* Whether bytes or operations take longer, and how often one of them is repeated. */
static void decide(struct side *s) {
    s->repeats = 1;
    s->step = move;
    double moving = seek_way(s);
    s->step = compute;
    double computing = time_of(s);
    if (moving > computing) s->step = move;
    if (fmax(moving, computing) < SHORT) s->repeats = (size_t)(LONG / fmax(fmax(moving, computing), 10)) + 1;
}

static void reset(void *self) { (void)self; }
static void timed(void *self) {
    struct side *s = self;
    if (s->step == move) seek_way(s);
}
static double step(void *self, size_t i) {
    once(self);
    return (double)i;
}

static float *array(size_t n) {
    float *x = aligned_alloc(4096, (n * sizeof *x / 4096 + 4) * 4096);
    for (size_t k = 0; x && k < n; k++) x[k] = 1 + (float)(k % 251) / 256;
    return x;
}

/* A thread's part of a count, in whole steps of the loops. */
static size_t share(const struct side *s, double count, size_t step) {
    size_t part = (size_t)ceil(count / s->threads);
    return (part + step - 1) / step * step;
}

/* NAME=COUNT for each thread; false: no such name, or no number. */
static bool add(struct side *s, const char *word, double *each) {
    char name[32] = "";
    double count;
    if (sscanf(word, "%31[a-z_]=%lf", name, &count) != 2 || count < 0) return false;
    floor_work *work = floor_work_of(name);
    if (work && s->kinds < KINDS) s->work[s->kinds++] = work;
    if (!strcmp(name, "each")) *each = count;
    size_t bytes = share(s, count / sizeof(float), LINES), numbers = share(s, count, LANES);
    bool known = work || !strcmp(name, "each");
    for (int i = 0; i < s->threads; i++) {
        struct part *p = &s->part[i];
        const struct {
            const char *name;
            size_t *at;
        } sizes[] = {{"read", &p->read}, {"write", &p->write}, {"again", &p->again}, {"update", &p->update}};
        for (int k = 0; k < 4; k++)
            if (!strcmp(name, sizes[k].name)) *sizes[k].at = bytes, known = true;
        if (work) p->count[s->kinds - 1] = numbers;
    }
    return known;
}

int main(int argc, char **argv) {
    static struct side s;
    double each = 1;
    s.threads = argc > 2 ? atoi(argv[1]) : 0;
    bool good = s.threads >= 1 && s.threads <= MOST_THREADS;
    for (int i = 2; good && i < argc; i++) good = add(&s, argv[i], &each);
    if (!good) return fprintf(stderr, "usage: floor THREADS NAME=COUNT ..\n"), 2;
    for (int i = 0; i < s.threads; i++) {
        struct part *p = &s.part[i];
        floor_hot_fill(&p->hot);
        p->in = array(p->read);
        p->out = array(p->write + p->update);
        if (!p->in || !p->out) return EXIT_FAILURE;
    }
    if (!(s.team = team_create(s.threads))) return EXIT_FAILURE;
    decide(&s);
    const char *what = s.step == move ? "bytes" : "operations";
    char note[64];
    snprintf(note, sizeof note, s.threads > 1 ? "%s, %d threads" : "%s", what, s.threads);
    int status = protocol_serve(
        &(struct protocol_bench){"floor", note, &s, reset, timed, step, (double)s.repeats * each});
    team_destroy(s.team);
    for (int i = 0; i < s.threads; i++) free(s.part[i].in), free(s.part[i].out);
    return status;
}

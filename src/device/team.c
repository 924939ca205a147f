/* Work cut into parts for the threads of a context. */
#include "base/context.h"
#include "base/mode.h"
#include "device/device.h"

struct flushed {
    void (*body)(void *arg, size_t i);
    void *arg;
};

/* Whichever thread this is, it has its own mode again afterwards. */
static void run_flushed(void *arg, size_t i) {
    const struct flushed *f = arg;
    uint64_t before = mode_flush();
    f->body(f->arg, i);
    mode_restore(before);
}

void team_run(const struct team *t, size_t count, void (*body)(void *arg, size_t i), void *arg) {
    struct flushed f = {body, arg};
    if (t->flush) context_parallel(t->ctx, run_flushed, &f, count);
    else context_parallel(t->ctx, body, arg, count);
}

void team_part(int64_t n, size_t parts, size_t i, int64_t *first, int64_t *end) {
    int64_t each = n / (int64_t)parts, more = n % (int64_t)parts, k = (int64_t)i;
    *first = each * k + (k < more ? k : more);
    *end = *first + each + (k < more);
}

/* Below this many elements for each, another thread costs more than it brings (some 10 microseconds). */
enum { worth_a_thread = 1 << 15 };

struct share {
    share_fn *body;
    void *arg;
    int64_t count;
    size_t parts;
};

static void run_share(void *arg, size_t i) {
    const struct share *s = arg;
    int64_t first, end;
    team_part(s->count, s->parts, i, &first, &end);
    s->body(s->arg, first, end, i);
}

void team_share(const struct team *t, int64_t count, int64_t work, share_fn *body, void *arg) {
    int64_t parts = work / worth_a_thread;
    if (parts > (int64_t)t->tasks) parts = (int64_t)t->tasks;
    if (parts > count) parts = count;
    struct share s = {body, arg, count, parts > 1 ? (size_t)parts : 1};
    if (s.parts > 1) team_run(t, s.parts, run_share, &s);
    else body(arg, 0, count, 0);
}

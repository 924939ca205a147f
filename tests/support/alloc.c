#include "support/alloc.h"

#include "support/test.h"

/* What stands before each block: its size, and a mark that tells a block of ours from any other. */
union header {
    struct {
        size_t size;
        uint64_t mark;
    } is;
    max_align_t aligned;
};
static const uint64_t in_use = 0x636861696eu, freed = 0x66726565u;

static bool is_right(struct failing *f, const union header *h, size_t old_size) {
    const char *wrong = h->is.mark == freed    ? "a block was freed twice"
                        : h->is.mark != in_use ? "a block was freed that was never given out"
                        : h->is.size != old_size
                            ? "a block came back with another size than it was given out with"
                            : NULL;
    if (!f->wrong) f->wrong = wrong;
    return !wrong;
}

static void *give(struct failing *f, size_t size) {
    union header *h = malloc(sizeof *h + size);
    if (!h) return NULL;
    h->is.size = size;
    h->is.mark = in_use;
    memset(h + 1, 0xA5, size);
    f->live++;
    f->bytes += size;
    return h + 1;
}

static void take(struct failing *f, union header *h) {
    f->live--;
    f->bytes -= h->is.size;
    h->is.mark = freed;
    free(h);
}

void *failing_realloc(void *user, void *ptr, size_t old_size, size_t size) {
    struct failing *f = user;
    union header *old = ptr ? (union header *)ptr - 1 : NULL;
    if (old && !is_right(f, old, old_size)) return NULL;
    if (size == 0) {
        if (old) take(f, old);
        return NULL;
    }
    f->count++;
    if (f->fail_at && (f->all_after ? f->count >= f->fail_at : f->count == f->fail_at)) return NULL;
    void *p = give(f, size);
    if (p && old) {
        memcpy(p, ptr, old_size < size ? old_size : size);
        take(f, old);
    }
    if (f->bytes > f->peak) f->peak = f->bytes; /* as a host that resizes in place has it */
    return p;
}

/* One run; whether it came as far as the allocation that was to fail. */
static bool fail_once(alloc_scenario *scenario, void *arg, long at, bool all_after, bool told,
                      long *refused) {
    struct failing f = {.fail_at = at, .all_after = all_after};
    const char *more = all_after ? " and all after it" : "";
    cr_context *ctx = NULL;
    cr_status status = cr_context_new_with(&ctx, failing_realloc, &f);
    if (!status) status = scenario(ctx, arg);
    cr_context_free(ctx);
    if (status != CR_OK && status != CR_ENOMEM)
        fail_msg("allocation %ld%s fails: %s", at, more, cr_status_text(status));
    if (f.count < at && status) fail_msg("no allocation failed, the status says %s", cr_status_text(status));
    if (told && f.count >= at && !status) fail_msg("allocation %ld%s fails, and nobody says so", at, more);
    if (f.wrong) fail_msg("allocation %ld%s fails: %s", at, more, f.wrong);
    if (f.live) fail_msg("allocation %ld%s fails: %ld blocks leak", at, more, f.live);
    *refused += status == CR_ENOMEM;
    return f.count >= at;
}

static void fail_each(alloc_scenario *scenario, void *arg, bool told) {
    long refused = 0;
    for (int all = 0; all < 2; all++)
        for (long at = 1; fail_once(scenario, arg, at, all, told, &refused); at++) {}
    if (!refused) fail_msg("the scenario never allocated");
}

void alloc_fail_each(alloc_scenario *scenario, void *arg) { fail_each(scenario, arg, false); }

void alloc_fail_each_told(alloc_scenario *scenario, void *arg) { fail_each(scenario, arg, true); }

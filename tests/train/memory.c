/* The memory of a training: every allocation may fail, and a long one takes no more than a short one. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <unistd.h>

#include "support/course.h"
#include "support/files.h"

static cr_status train_a_little(cr_context *ctx, void *arg) {
    struct course c;
    (void)arg;
    cr_status status = course_begin(&c, net, ctx);
    if (!status) status = cr_train_set(c.t, "batch", "20");
    if (!status) status = cr_train_set(c.t, "epochs", "2");
    if (!status) status = cr_train_set(c.t, "validation", "10");
    if (!status) status = cr_train_set(c.t, "gradients", "1");
    if (!status) status = cr_train_run(c.t);
    if (!status) status = cr_train_take_best(c.t);
    course_end(&c);
    return status;
}

TEST(every_allocation_may_fail) {
    (void)state;
    alloc_fail_each(train_a_little, NULL);
}

/* Of a training that is done, its last step twice. */
static cr_status report_a_little(cr_context *ctx, void *arg) {
    const struct course *c = arg;
    cr_report *r = NULL;
    cr_text *page = NULL;
    cr_status status = cr_report_new(&r, "line.cr", "chainrule train line.cr", ctx);
    for (int i = 0; i < 2 && !status; i++) status = cr_report_step(r, c->t, 1);
    if (!status) status = cr_report_epoch(r, c->t, 1);
    if (!status) status = cr_text_new(&page, ctx);
    if (!status) status = cr_report_page(page, r, c->t, 1, "it ended");
    cr_text_free(page);
    cr_report_free(r);
    return status;
}

TEST(every_allocation_of_a_report_may_fail) {
    (void)state;
    struct course c = course_of(line);
    course_set(&c, (const char *const[][2]){{"gradients", "1"}, {"epochs", "1"}}, 2);
    course_run(&c);
    alloc_fail_each(report_a_little, &c);
    course_end(&c);
}

static cr_status look_at_a_batch(cr_context *ctx, void *arg) {
    struct course c;
    cr_eval *e = NULL;
    cr_node loss = {0};
    (void)arg;
    cr_status status = course_begin(&c, line, ctx);
    if (!status) status = cr_train_eval(&e, &loss, c.t);
    cr_eval_free(e);
    cr_graph_free(loss.graph);
    course_end(&c);
    return status;
}

TEST(every_allocation_of_a_look_at_a_batch_may_fail) {
    (void)state;
    alloc_fail_each(look_at_a_batch, NULL);
}

struct watched {
    struct failing memory;
    long after_first; /* allocations up to the end of the first epoch */
};

static bool watch(void *user, const cr_train *t, bool epoch_ended) {
    struct watched *w = user;
    if (epoch_ended && cr_train_epoch(t) == 1) w->after_first = w->memory.count;
    return true;
}

TEST(later_epochs_allocate_nothing_but_the_copies_of_the_best) {
    (void)state;
    struct watched w = {{0}, 0};
    struct course c;
    cr_context *ctx;
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &w.memory), CR_OK);
    assert_int_equal(course_begin(&c, line, ctx), CR_OK);
    course_set(&c, (const char *const[][2]){{"epochs", "50"}, {"batch", "8"}, {"best", "max error"}},
               3); /* the first stays the best */
    cr_train_progress(c.t, watch, &w);
    course_run(&c);
    assert_int_equal(w.memory.count, w.after_first);
    course_end(&c);
    cr_context_free(ctx);
    assert_int_equal(w.memory.live, 0);
}

/* ---- Long trainings ---- */

static long resident_bytes(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0; /* a system without */
    if (fscanf(f, "%*s %ld", &pages) != 1) pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int open_files(void) {
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) != -1;
    return n;
}

struct measured {
    struct failing memory;
    struct course *c;
    bool keeps;   /* files; not where the library has none */
    size_t bytes; /* after two epochs, when all has been allocated that is needed */
    long resident;
    int files;
};

/* Every 2,000th epoch is kept in a file. */
static bool measure(void *user, const cr_train *t, bool epoch_ended) {
    struct measured *m = user;
    if (!epoch_ended) return true;
    if (m->keeps && cr_train_epoch(t) % 2000 == 2)
        assert_int_equal(cr_store_save(temp_path("kept"), m->c->store, NULL, NULL, m->c->ctx, NULL), CR_OK);
    if (cr_train_epoch(t) == 2)
        m->bytes = m->memory.bytes, m->resident = resident_bytes(), m->files = open_files();
    return true;
}

/* 50 steps an epoch, a million in all; a fiftieth under a sanitizer, but for CHECK_SCALE. */
TEST(a_million_steps_take_no_more_memory_than_a_hundred_and_no_file_stays_open) {
    (void)state;
    struct course c;
    cr_context *ctx;
    char epochs[24];
    int wanted = sanitized ? rounds(1600) : 20000;
    if (wanted > 20000) wanted = 20000;
    struct measured m = {.c = &c, .keeps = with_safetensors()};
    snprintf(epochs, sizeof epochs, "%d", wanted);
    assert_int_equal(cr_context_new_with(&ctx, failing_realloc, &m.memory), CR_OK);
    assert_int_equal(course_begin(&c, line, ctx), CR_OK);
    course_set(&c,
               (const char *const[][2]){
                   {"batch", "1"}, {"epochs", epochs}, {"optimiser", "adam(rate=1/(step + 10))"}},
               3);
    cr_train_progress(c.t, measure, &m);
    course_run(&c);
    assert_int_equal(cr_train_step(c.t), 50 * wanted);
    assert_int_equal(m.memory.bytes,
                     m.bytes); /* not one byte: copies of the best take the place of the last */
    assert_int_equal(open_files(), m.files);
    if (!sanitized) assert_true(resident_bytes() - m.resident <= 1 << 20);
    course_end(&c);
    cr_context_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(every_allocation_may_fail),
        RUN(every_allocation_of_a_report_may_fail),
        RUN(every_allocation_of_a_look_at_a_batch_may_fail),
        RUN(later_epochs_allocate_nothing_but_the_copies_of_the_best),
        RUN(a_million_steps_take_no_more_memory_than_a_hundred_and_no_file_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, temp_remove);
}

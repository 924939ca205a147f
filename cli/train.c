/* chainrule train: progress, log, checkpoints, the loss curve, the weights. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { EXIT_INTERRUPTED = 130 }; /* as a shell reports SIGINT */

static volatile sig_atomic_t interrupted;
static void on_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

struct curve {
    double *epoch, *training, *validation;
    int64_t n, cap;
};

struct watching {
    struct learning *l;
    const struct arguments *a;
    struct curve curve;
    FILE *log;
    cr_report *report;
    double start, shown, epoch_start, mark,
        written; /* seconds; mark: what came before is no part of a step */
    int64_t first_step;
    bool terminal, said;
    int code;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- What is said ---- */

static void clear_line(const struct watching *w) {
    if (w->terminal) fputs("\r\033[K", stderr);
}

static void show_progress(struct watching *w, const cr_train *t) {
    double time = now(), loss;
    if (!w->terminal || time - w->shown < 0.1) return;
    w->shown = time;
    int64_t done = cr_train_position(t), all = cr_train_observations(t, false);
    double rate = (time - w->start) / (double)(cr_train_step(t) - w->first_step),
           share = (double)done / (double)all;
    double left =
        (time - w->epoch_start) / share * ((double)(cr_train_epochs(t) - cr_train_epoch(t)) - share);
    cr_train_metric(t, 0, &loss, NULL);
    clear_line(w);
    fprintf(stderr, "epoch %lld of %lld  %3.0f %%  loss %.4g  %.3g ms a step  %.0f s left",
            (long long)cr_train_epoch(t) + 1, (long long)cr_train_epochs(t), 100 * share, loss, 1e3 * rate,
            left);
}

static void print_epoch(const struct watching *w, const cr_train *t) {
    double training, validation;
    const char *name;
    if (w->a->quiet) return;
    clear_line(w);
    printf("epoch %lld:", (long long)cr_train_epoch(t));
    for (int i = 0; (name = cr_train_metric(t, i, &training, &validation)); i++) {
        printf("%s %s %.4g", i ? "," : "", name, training);
        if (validation == validation) printf(" (validation %.4g)", validation);
    }
    puts(cr_train_best_epoch(t) == cr_train_epoch(t) ? ", the best so far" : "");
    fflush(stdout);
}

static void append_metrics(cr_text *text, const cr_train *t, bool of_validation) {
    double training, validation;
    const char *name;
    for (int i = 0; (name = cr_train_metric(t, i, &training, &validation)); i++) {
        cr_text_append(text, i ? ", " : "");
        cr_text_json(text, name);
        cr_text_append(text, ": ");
        append_number(text, of_validation ? validation : training);
    }
}

/* One line of JSON. */
static int log_epoch(struct watching *w, const cr_train *t) {
    cr_text *text = w->l->text;
    char s[96];
    if (!w->log) return EXIT_DONE;
    cr_text_clear(text);
    snprintf(s, sizeof s, "{\"epoch\": %lld, \"step\": %lld, ", (long long)cr_train_epoch(t),
             (long long)cr_train_step(t));
    cr_text_append(text, s);
    append_metrics(text, t, false);
    if (cr_train_observations(t, true)) {
        cr_text_append(text, ", \"validation\": {");
        append_metrics(text, t, true);
        cr_text_append(text, "}");
    }
    cr_text_append(text, ", \"seconds\": ");
    append_number(text, now() - w->start);
    cr_text_append(text, "}\n");
    if (fputs(cr_text_str(text), w->log) == EOF || fflush(w->log))
        return fail("--log: cannot be written: %s", strerror(errno));
    return EXIT_DONE;
}

/* ---- The loss curve ---- */

static bool grow(double **x, int64_t cap) {
    double *more = realloc(*x, (size_t)cap * sizeof *more);
    if (more) *x = more;
    return more != NULL;
}

static void add_to_curve(struct curve *c, const cr_train *t) {
    if (c->n == c->cap) {
        int64_t cap = c->cap ? 2 * c->cap : 64;
        if (!grow(&c->epoch, cap) || !grow(&c->training, cap) || !grow(&c->validation, cap)) return;
        c->cap = cap;
    }
    c->epoch[c->n] = (double)cr_train_epoch(t);
    cr_train_metric(t, 0, &c->training[c->n], &c->validation[c->n]);
    c->n++;
}

static int draw_curve(const struct watching *w) {
    cr_plot *plot = NULL;
    const struct curve *c = &w->curve;
    if (!w->a->svg) return EXIT_DONE;
    cr_text_clear(w->l->text);
    cr_text_clear(w->l->why);
    cr_status status = cr_plot_new(&plot, w->l->ctx);
    if (!status) status = cr_plot_labels(plot, w->a->formula, "epoch", "loss");
    if (!status) status = cr_plot_add(plot, "training", true, c->n, c->epoch, c->training);
    if (!status && cr_train_observations(w->l->train, true))
        status = cr_plot_add(plot, "validation", true, c->n, c->epoch, c->validation);
    if (!status) status = cr_plot_svg(w->l->text, plot);
    cr_plot_free(plot);
    if (status) return fail("%s", cr_status_text(status));
    status =
        cr_file_write(w->a->svg, cr_text_str(w->l->text), cr_text_size(w->l->text), w->l->ctx, w->l->why);
    return status ? fail("%s", cr_text_str(w->l->why)) : EXIT_DONE;
}

/* ---- The report ---- */

/* As a shell reads it: what is not plain stands in quotes. */
static void append_word(cr_text *t, const char *s) {
    char one[2] = {0};
    if (*s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=./:,+@%^")]) {
        cr_text_append(t, s);
        return;
    }
    cr_text_append(t, "'");
    for (; *s; s++) *one = *s, cr_text_append(t, *s == '\'' ? "'\\''" : one);
    cr_text_append(t, "'");
}

static int open_report(struct watching *w) {
    struct learning *l = w->l;
    if (!option_value(w->a, "report")) return EXIT_DONE;
    cr_text_clear(l->text);
    cr_text_append(l->text, "chainrule");
    for (int i = 1; i < w->a->argc; i++) cr_text_append(l->text, " "), append_word(l->text, w->a->argv[i]);
    if (cr_report_new(&w->report, w->a->formula, cr_text_str(l->text), l->ctx) ||
        cr_train_set(l->train, "gradients", "1"))
        return fail("out of memory");
    return EXIT_DONE;
}

/* Whole or not at all, so that a browser that looks at any time sees a page. ending: why it ended, or NULL. */
static int write_report(struct watching *w, const char *ending) {
    struct learning *l = w->l;
    if (!w->report) return EXIT_DONE;
    cr_text_clear(l->text);
    cr_text_clear(l->why);
    cr_status status = cr_report_page(l->text, w->report, l->train, now() - w->start, ending);
    if (status) return fail("--report: %s", cr_status_text(status));
    status = cr_file_write(option_value(w->a, "report"), cr_text_str(l->text), cr_text_size(l->text), l->ctx,
                           l->why);
    w->written = now();
    return status ? fail("--report: %s", cr_text_str(l->why)) : EXIT_DONE;
}

static int add_to_report(struct watching *w, const cr_train *t, bool epoch_ended) {
    double time = now();
    if (!w->report) return EXIT_DONE;
    cr_status status = epoch_ended ? cr_report_epoch(w->report, t, time - w->start)
                                   : cr_report_step(w->report, t, time - w->mark);
    if (status) return fail("--report: %s", cr_status_text(status));
    return time - w->written < 1 ? EXIT_DONE : write_report(w, NULL);
}

/* ---- Files ---- */

static int save(struct learning *l, const char *path, cr_store_choose_fn *choose) {
    cr_text_clear(l->why);
    return path && cr_store_save(path, l->store, choose, l, l->ctx, l->why) ? fail("%s", cr_text_str(l->why))
                                                                            : EXIT_DONE;
}

/* The weights file has the model's own parameters alone. */
static const char *own_parameter(void *user, const char *name) {
    const struct learning *l = user;
    return cr_train_owns(l->train, name) ? name : NULL;
}

/* What was settled before the first step, where it is not the usual or was asked for. */
static void print_way(struct watching *w, const cr_train *t) {
    if (w->said) return;
    w->said = true;
    bool usual = strncmp(cr_train_way(t), "built in", 8) == 0;
    if (!w->a->quiet && (!usual || option_value(w->a, "compile"))) printf("loops are %s\n", cr_train_way(t));
}

static bool watch(void *user, const cr_train *t, bool epoch_ended) {
    struct watching *w = user;
    print_way(w, t);
    w->code = add_to_report(w, t, epoch_ended);
    if (!epoch_ended) return show_progress(w, t), w->mark = now(), !w->code && !interrupted;
    if (w->a->svg) add_to_curve(&w->curve, t);
    print_epoch(w, t);
    w->epoch_start = now();
    if (!w->code) w->code = log_epoch(w, t);
    if (!w->code) w->code = save(w->l, option_value(w->a, "checkpoint"), NULL);
    w->mark = now();
    return !w->code && !interrupted;
}

/* A checkpoint that is there is where the training goes on; else it starts from --weights. Neither is taken for the other: weights alone
 * have nothing to go on from, and would be written over. */
static int resume(struct watching *w) {
    const char *path = option_value(w->a, "checkpoint"), *weights = option_value(w->a, "weights");
    bool there = path && access(path, F_OK) == 0;
    const char *from = there ? path : weights;
    int code = from ? learn_weights(w->l, from) : EXIT_DONE;
    if (code || !from) return code;
    if (there && !cr_train_begun(w->l->train))
        return fail(
            "--checkpoint: %s: holds weights, but no state of a training to go on from: start from them "
            "with --weights %s, and give --checkpoint another file",
            path, path);
    if (!there && cr_train_begun(w->l->train))
        return fail(
            "--weights: %s: is a checkpoint: go on from it with --checkpoint %s, or give the weights that "
            "--out wrote",
            weights, weights);
    if (!w->a->quiet) printf("%s from %s\n", there ? "going on" : "starting", from);
    return EXIT_DONE;
}

/* A bare name is the least, which is seldom meant of an accuracy: it is said. */
static void print_end(const struct watching *w, const cr_train *t) {
    const char *best = option_value(w->a, "best");
    bool bare = best && !strchr(best, ' ') && strcmp(best, "loss") != 0;
    printf("%lld epochs, %lld steps, %.1f s: %s; the best was epoch %lld", (long long)cr_train_epoch(t),
           (long long)cr_train_step(t), now() - w->start, cr_train_reason(t),
           (long long)cr_train_best_epoch(t));
    if (bare) printf(", of the least %s (the most is --best 'max %s')", best, best);
    putchar('\n');
}

static int finish(struct watching *w, cr_status status) {
    struct learning *l = w->l;
    clear_line(w);
    if (w->code) return w->code;
    int code = save(l, option_value(w->a, "checkpoint"), NULL);
    if (code) return code;
    if (status == CR_ESTOPPED)
        return fail("interrupted at step %lld", (long long)cr_train_step(l->train)), EXIT_INTERRUPTED;
    if (status) return learn_failed(l);
    if (!w->a->quiet) print_end(w, l->train);
    if (cr_train_take_best(l->train)) return learn_failed(l);
    code = save(l, option_value(w->a, "out"), own_parameter);
    return code ? code : draw_curve(w);
}

/* Will there be a place for what the training brings? To be told before it, not after. */
static int check_place(const char *option, const char *path) {
    char folder[4096] = ".";
    const char *slash = path ? strrchr(path, '/') : NULL;
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    if (!path || n >= sizeof folder || access(path, F_OK) == 0) return EXIT_DONE;
    if (n) memcpy(folder, path, n), folder[n] = 0;
    if (access(folder, W_OK) == 0) return EXIT_DONE;
    return fail("--%s: %s: cannot be written: %s%s", option, path, strerror(errno),
                errno == ENOENT ? ": make its folder first" : "");
}

static int train(struct watching *w) {
    struct sigaction act = {.sa_handler = on_interrupt}, old;
    const char *log = option_value(w->a, "log");
    int code = check_place("out", option_value(w->a, "out"));
    if (!code) code = check_place("checkpoint", option_value(w->a, "checkpoint"));
    if (!code) code = check_place("svg", w->a->svg);
    if (!code) code = check_place("report", option_value(w->a, "report"));
    if (!code) code = resume(w);
    if (!code) code = open_report(w);
    if (code) return code;
    if (log && !(w->log = fopen(log, "a")))
        return fail("--log: %s: cannot be opened: %s", log, strerror(errno));
    sigemptyset(&act.sa_mask);
    act.sa_flags = (int)SA_RESETHAND; /* a second Ctrl-C ends it at once */
    sigaction(SIGINT, &act, &old);
    w->start = w->epoch_start = w->mark = now();
    cr_train_progress(w->l->train, watch, w);
    cr_status status = cr_train_run(w->l->train);
    const char *ending = status == CR_ESTOPPED ? "interrupted" : cr_train_reason(w->l->train);
    sigaction(SIGINT, &old, NULL);
    code = finish(w, status);
    int told =
        w->code ? EXIT_DONE : write_report(w, ending); /* last, so that it keeps nothing from being saved */
    if (!code) code = told;
    if (w->log && fclose(w->log) && !code) code = fail("--log: %s: cannot be written", log);
    return code;
}

int run_train(struct arguments *a) {
    struct learning l;
    struct watching w = {.l = &l, .a = a, .terminal = !a->quiet && isatty(STDERR_FILENO)};
    int code = learn_open(&l, a);
    if (!code) code = train(&w);
    cr_report_free(w.report);
    free(w.curve.epoch);
    free(w.curve.training);
    free(w.curve.validation);
    learn_close(&l);
    return code;
}

/* What does a step cost a loop that rebuilds its graph at every step? Nanoseconds a node: 50 steps of h = tanh(w*h + x), the loss
 * h^2, its gradient by w.
 *
 *     rebuild_chainrule anew    build, differentiate, compile, run, free
 *     rebuild_chainrule again   the same, where the program is found again
 *     rebuild_chainrule found   the graph stands: find its program, run, free */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chainrule.h"
#include "common/protocol.h"

enum { LINKS = 50, CALLS = 100 };

struct side {
    cr_context *ctx;
    cr_options *options;
    bool stands;
    cr_graph *g; /* that stands */
    cr_target *t;
    size_t nodes;
    double x, w, loss, dw;
};

static void need(cr_status status) {
    if (status) exit((fprintf(stderr, "rebuild_chainrule: %s\n", cr_status_text(status)), EXIT_FAILURE));
}

static void build(struct side *s) {
    s->g = cr_graph_new(s->ctx);
    cr_node x = cr_input(s->g, "x", CR_F64, 0, NULL), w = cr_input(s->g, "w", CR_F64, 0, NULL), h = x, dw;
    for (int i = 0; i < LINKS; i++) h = cr_tanh(cr_add(cr_mul(w, h), x));
    h = cr_square(h);
    cr_grad(&dw, h, 1, &w);
    s->t = cr_target_new(s->g);
    need(cr_target_output(s->t, "loss", h));
    need(cr_target_output(s->t, "dw", dw));
    s->nodes = cr_graph_count(s->g) - 1;
}

static void drop(struct side *s) {
    cr_target_free(s->t);
    cr_graph_free(s->g);
}

static void once(struct side *s) {
    const struct {
        const char *name;
        double *at;
    } all[] = {{"w", &s->w}, {"x", &s->x}, {"loss", &s->loss}, {"dw", &s->dw}};
    cr_program *p;
    cr_run *r;
    if (!s->stands) build(s);
    need(cr_compile(&p, s->t, s->options));
    need(cr_run_new(&r, p, NULL, NULL, 0));
    for (int i = 0; i < 4; i++) need(cr_bind(r, all[i].name, CR_F64, all[i].at, sizeof(double)));
    need(cr_step(r));
    cr_run_free(r);
    cr_program_free(p);
    if (!s->stands) drop(s);
}

static void reset(void *self) {
    struct side *s = self;
    s->x = 0.5;
}

static double step(void *self, size_t i) {
    struct side *s = self;
    s->w = 0.25 + (double)(i % 64) / 64;
    for (int c = 0; c < CALLS; c++) once(s);
    return s->loss;
}

int main(int count, char **word) {
    struct side s = {0};
    char note[80];
    const char *way = count == 2 ? word[1] : "";
    bool anew = strcmp(way, "anew") == 0;
    s.stands = strcmp(way, "found") == 0;
    if (!anew && !s.stands && strcmp(way, "again") != 0)
        return fprintf(stderr, "usage: rebuild_chainrule anew|again|found\n"), 2;
    need(cr_context_new(&s.ctx));
    s.options = cr_options_new(s.ctx);
    need(cr_options_set(s.options, "reuse", anew ? "0" : "1"));
    build(&s);
    if (!s.stands) drop(&s);
    snprintf(note, sizeof note, "%s, %zu nodes", way, s.nodes);
    int code = protocol_serve(
        &(struct protocol_bench){"Chainrule", note, &s, reset, NULL, step, (double)s.nodes * CALLS});
    if (s.stands) drop(&s);
    cr_options_free(s.options);
    cr_context_free(s.ctx);
    return code;
}

/* A layer forward and backward, behind the line protocol: layer_chainrule QUESTION SIZES.. THREADS [COMPILER], the question and
 * its data as bench/common/layer.h has them; with a compiler, loops are built by it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"
#include "chainrule/compile.h"
#include "common/layer.h"
#include "common/protocol.h"

struct side {
    struct layer layer;
    cr_context *ctx;
    cr_program *program;
    cr_run *run;
};

static void reset(void *self) { (void)self; }

static double step(void *self, size_t i) {
    struct side *s = self;
    return cr_step(s->run) ? (double)NAN : layer_sample(&s->layer, i);
}

/* The gradient by all inputs but the cotangent. */
static void outputs(cr_target *t, cr_graph *g, const struct layer *l, const cr_node leaf[]) {
    cr_node d[LAYER_MOST], value = cr_formula(g, l->formula);
    cr_node loss = l->value_is_tensor ? cr_sum(cr_mul(value, leaf[l->inputs - 1]), 0, NULL, false) : value;
    cr_grad(d, loss, l->outputs - 1, leaf);
    cr_target_output(t, "value", value);
    for (int i = 1; i < l->outputs; i++) cr_target_output(t, l->out[i].name, d[i - 1]);
}

static cr_status compile(struct side *s, const char *compiler) {
    const struct layer *l = &s->layer;
    cr_graph *g = cr_graph_new(s->ctx);
    cr_target *t = cr_target_new(g);
    cr_node leaf[LAYER_MOST];
    for (int i = 0; i < l->inputs; i++)
        leaf[i] = cr_input(g, l->in[i].name, CR_F32, l->in[i].rank, l->in[i].dim);
    if (!l->value_is_tensor) cr_input(g, "y", CR_I32, 1, &l->rows);
    outputs(t, g, l, leaf);
    return bench_compile(&s->program, g, t, compiler);
}

static cr_status bind(struct side *s) {
    struct layer *l = &s->layer;
    cr_status status = cr_run_new(&s->run, s->program, NULL, NULL, 0);
    for (int i = 0; i < l->inputs + l->outputs && !status; i++) {
        struct layer_tensor *t = i < l->inputs ? &l->in[i] : &l->out[i - l->inputs];
        status = cr_bind(s->run, t->name, CR_F32, t->at, t->count * sizeof *t->at);
    }
    if (!l->value_is_tensor && !status)
        status = cr_bind(s->run, "y", CR_I32, l->classes, (size_t)l->rows * sizeof *l->classes);
    return status;
}

int main(int argc, char **argv) {
    struct side s = {0};
    const char *compiler =
        argc > 1 && atoi(argv[argc - 1]) == 0 ? argv[--argc] : NULL; /* the threads are a number */
    if (argc < 3 || layer_make(&s.layer, argc - 2, argv + 1)) {
        fprintf(stderr, "usage: layer_chainrule QUESTION SIZES.. THREADS [COMPILER]\n");
        return 2;
    }
    cr_status status = cr_context_new(&s.ctx);
    if (!status) status = cr_context_threads(s.ctx, atoi(argv[argc - 1]));
    if (!status) status = compile(&s, compiler);
    if (!status) status = bind(&s);
    if (status) return fprintf(stderr, "layer_chainrule: %s\n", cr_status_text(status)), EXIT_FAILURE;
    char note[96];
    snprintf(note, sizeof note, "%s%zu steps, %zu bytes of workspace",
             cr_program_compiled(s.program) ? "loops compiled, " : "", cr_program_steps(s.program),
             cr_program_workspace(s.program));
    struct protocol_bench bench = {
        .name = "Chainrule", .note = note, .self = &s, .reset = reset, .step = step, .calls = 1};
    int exit_status = protocol_serve(&bench);
    cr_run_free(s.run);
    cr_program_free(s.program);
    cr_context_free(s.ctx);
    layer_free(&s.layer);
    return exit_status;
}

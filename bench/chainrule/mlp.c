/* How long does a training step of the MLP take? mlp_chainrule FOLDER BATCH THREADS [COMPILER] serves it behind the line
 * protocol (common/protocol.h); with a compiler, loops are built by it. A step binds its batch and runs; all else was decided before. */
#include <stdio.h>
#include <stdlib.h>

#include "chainrule/mlp_graph.h"
#include "common/protocol.h"

struct side {
    struct mlp_data data;
    float *zero; /* as long as the longest parameter: what moments start from */
    float loss;
    cr_context *ctx;
    cr_program *program;
    cr_store *store;
    cr_run *run;
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "mlp_chainrule: %s: %s\n", what, why ? why : "out of memory");
    exit(EXIT_FAILURE);
}

static void reset(void *self) {
    struct side *s = self;
    for (int i = 0; i < MLP_TENSORS; i++) {
        const struct mlp_tensor *t = &mlp_tensor[i];
        size_t bytes = (size_t)(t->dim[0] * (t->rank > 1 ? t->dim[1] : 1)) * sizeof(float);
        if (cr_store_set(s->store, t->name, CR_F32, s->data.parameters + t->offset, bytes) ||
            cr_store_set(s->store, t->m, CR_F32, s->zero, bytes) ||
            cr_store_set(s->store, t->v, CR_F32, s->zero, bytes))
            fail("the store", cr_store_error(s->store));
    }
    cr_run_set_step(s->run, 0);
}

static double step(void *self, size_t i) {
    struct side *s = self;
    size_t k = i % MLP_BATCHES * s->data.batch;
    cr_bind(s->run, "x", CR_F32, s->data.x + k * MLP_IN, s->data.batch * MLP_IN * sizeof(float));
    cr_bind(s->run, "y", CR_I32, s->data.y + k, s->data.batch * sizeof(int32_t));
    if (cr_step(s->run)) fail("a step", cr_run_error(s->run));
    return (double)s->loss;
}

/* Denormals are flushed, as on the other sides. */
static void compile(struct side *s, const char *compiler) {
    cr_graph *g = cr_graph_new(s->ctx);
    cr_target *t = mlp_target(g, (int64_t)s->data.batch);
    cr_options *o = cr_options_new(s->ctx);
    if (cr_options_set(o, "flush_denormals", "1") || cr_options_set(o, "compile", compiler) ||
        cr_compile(&s->program, t, o))
        fail("compiling", cr_graph_error(g));
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
}

static void prepare(struct side *s, int threads, const char *compiler) {
    s->zero = calloc(MLP_IN * MLP_H1, sizeof *s->zero);
    if (!s->zero || cr_context_new(&s->ctx) || cr_context_threads(s->ctx, threads)) fail("starting", NULL);
    if (cr_context_thread_count(s->ctx) != threads) fail("starting", "built without threads");
    compile(s, compiler);
    if (cr_store_new(&s->store, s->ctx) || cr_run_new(&s->run, s->program, s->store, NULL, 0))
        fail("starting", NULL);
    if (cr_bind(s->run, "loss", CR_F32, &s->loss, sizeof s->loss)) fail("binding", cr_run_error(s->run));
}

static void end(struct side *s) {
    cr_run_free(s->run);
    cr_program_free(s->program);
    cr_store_free(s->store);
    cr_context_free(s->ctx);
    free(s->zero);
    mlp_data_free(&s->data);
}

int main(int count, char **word) {
    struct side s = {0};
    protocol_idle();
    if (count < 4 || count > 5 || atoi(word[2]) < 1 || atoi(word[3]) < 1) {
        fprintf(stderr, "usage: mlp_chainrule FOLDER BATCH THREADS [COMPILER]\n");
        return 2;
    }
    if (mlp_data_read(&s.data, word[1], (size_t)atoi(word[2]))) return EXIT_FAILURE;
    prepare(&s, atoi(word[3]), count > 4 ? word[4] : "0");
    struct protocol_bench bench = {
        "Chainrule", cr_program_compiled(s.program) ? "loops compiled" : "", &s, reset, NULL, step, 1};
    int status = protocol_serve(&bench);
    end(&s);
    return status;
}

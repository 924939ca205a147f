/* A step of the small net behind the line protocol, see bench/common/small.h: small_chainrule [COMPILER], one thread; with a
 * compiler, loops are built by it. A step of the protocol is a hundred of the net's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"
#include "chainrule/compile.h"
#include "common/protocol.h"
#include "common/small.h"

enum { CALLS = 100, TENSORS = 6 };

static const struct {
    const char *name;
    int rank;
    int64_t dim[2];
    int offset, count;
} tensor[TENSORS] = {
    {"W1", 2, {2, SMALL_H}, SMALL_W1, 2 * SMALL_H},
    {"b1", 1, {SMALL_H}, SMALL_B1, SMALL_H},
    {"W2", 2, {SMALL_H, SMALL_H}, SMALL_W2, SMALL_H *SMALL_H},
    {"b2", 1, {SMALL_H}, SMALL_B2, SMALL_H},
    {"W3", 2, {SMALL_H, 1}, SMALL_W3, SMALL_H},
    {"b3", 1, {1}, SMALL_B3, 1},
};

struct side {
    float x[SMALL_POINTS][2], y[SMALL_POINTS], loss;
    cr_context *ctx;
    cr_store *store;
    cr_program *program;
    cr_run *run;
};

static void reset(void *self) {
    struct side *s = self;
    float p[SMALL_PARAMETERS];
    small_parameters(p);
    for (int i = 0; i < TENSORS; i++)
        cr_store_set(s->store, tensor[i].name, CR_F32, p + tensor[i].offset,
                     (size_t)tensor[i].count * sizeof *p);
}

static double step(void *self, size_t i) {
    struct side *s = self;
    (void)i;
    for (int c = 0; c < CALLS; c++)
        if (cr_step(s->run)) return (double)NAN;
    return (double)s->loss;
}

static cr_target *target(cr_graph *g) {
    cr_node p[TENSORS], d[TENSORS];
    cr_input(g, "x", CR_F32, 2, (int64_t[]){SMALL_POINTS, 2});
    cr_input(g, "y", CR_F32, 1, (int64_t[]){SMALL_POINTS});
    for (int i = 0; i < TENSORS; i++)
        p[i] = cr_param(g, tensor[i].name, CR_F32, tensor[i].rank, tensor[i].dim);
    cr_node loss =
        cr_formula(g, "mean(relu(1 - y*reshape(relu(relu(x @ W1 + b1) @ W2 + b2) @ W3 + b3, [100]))) + "
                      "1e-4*(sum(W1^2) + sum(b1^2) + sum(W2^2) + sum(b2^2) + sum(W3^2) + sum(b3^2))");
    cr_grad(d, loss, TENSORS, p);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    for (int i = 0; i < TENSORS; i++)
        cr_target_update(t, p[i], cr_sub(p[i], cr_mul(cr_number(g, 0.05), d[i])));
    return t;
}

static cr_status compile(struct side *s, const char *compiler) {
    cr_graph *g = cr_graph_new(s->ctx);
    return bench_compile(&s->program, g, target(g), compiler);
}

static cr_status bind(struct side *s) {
    cr_status status = cr_store_new(&s->store, s->ctx);
    if (status) return status;
    reset(s);
    status = cr_run_new(&s->run, s->program, s->store, NULL, 0);
    if (!status) status = cr_bind(s->run, "x", CR_F32, s->x, sizeof s->x);
    if (!status) status = cr_bind(s->run, "y", CR_F32, s->y, sizeof s->y);
    if (!status) status = cr_bind(s->run, "loss", CR_F32, &s->loss, sizeof s->loss);
    return status;
}

int main(int argc, char **argv) {
    struct side s = {0};
    small_points(s.x, s.y);
    cr_status status = cr_context_new(&s.ctx);
    if (!status) status = cr_context_threads(s.ctx, 1);
    if (!status) status = compile(&s, argc > 1 ? argv[1] : NULL);
    if (!status) status = bind(&s);
    if (status) return fprintf(stderr, "small_chainrule: %s\n", cr_status_text(status)), EXIT_FAILURE;
    char note[96];
    snprintf(note, sizeof note, "%s%zu steps", cr_program_compiled(s.program) ? "loops compiled, " : "",
             cr_program_steps(s.program));
    int exit_status =
        protocol_serve(&(struct protocol_bench){"Chainrule", note, &s, reset, NULL, step, CALLS});
    cr_run_free(s.run);
    cr_program_free(s.program);
    cr_store_free(s.store);
    cr_context_free(s.ctx);
    return exit_status;
}

/* sum(tanh(a*x + b)*sigmoid(c*x)) and its gradient by x, a, b and c over n numbers of f32, behind the line protocol:
 *
 *     reduce_chainrule [N [THREADS [COMPILER]]]     1e6, 1 thread, loops by the built-in executor
 *
 * Floor: x is read and the gradient by it is written, 8 bytes an element. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"
#include "chainrule/compile.h"
#include "common/protocol.h"

struct side {
    int64_t n;
    float *x, *dx, a, b, c, value, da, db, dc;
    cr_context *ctx;
    cr_program *program;
    cr_run *run;
};

static void reset(void *self) { ((struct side *)self)->a = 0.5f; }

static double step(void *self, size_t i) {
    struct side *s = self;
    s->a = 0.5f + (float)(i % 8) / 16;
    return cr_step(s->run) ? NAN : (double)s->value + (double)s->da + (double)s->db + (double)s->dc;
}

static cr_status compile(struct side *s, const char *compiler) {
    static const char *const name[] = {"x", "a", "b", "c"}, *const of[] = {"dx", "da", "db", "dc"};
    cr_graph *g = cr_graph_new(s->ctx);
    cr_node leaf[4], d[4], value;
    for (int i = 0; i < 4; i++) leaf[i] = cr_input(g, name[i], CR_F32, i == 0, &s->n);
    value = cr_formula(g, "sum(tanh(a*x + b)*sigmoid(c*x))");
    cr_target *t = cr_target_new(g);
    cr_grad(d, value, 4, leaf);
    cr_target_output(t, "value", value);
    for (int i = 0; i < 4; i++) cr_target_output(t, of[i], d[i]);
    return bench_compile(&s->program, g, t, compiler);
}

static cr_status bind(struct side *s) {
    size_t bytes = (size_t)s->n * sizeof *s->x;
    const struct {
        const char *name;
        float *at;
        size_t bytes;
    } all[] = {{"x", s->x, bytes}, {"dx", s->dx, bytes}, {"a", &s->a, 4},
               {"b", &s->b, 4},    {"c", &s->c, 4},      {"value", &s->value, 4},
               {"da", &s->da, 4},  {"db", &s->db, 4},    {"dc", &s->dc, 4}};
    cr_status status = cr_run_new(&s->run, s->program, NULL, NULL, 0);
    for (size_t i = 0; i < sizeof all / sizeof *all && !status; i++)
        status = cr_bind(s->run, all[i].name, CR_F32, all[i].at, all[i].bytes);
    return status;
}

int main(int argc, char **argv) {
    struct side s = {.n = argc > 1 ? (int64_t)strtod(argv[1], NULL) : 1000000, .b = 0.25f, .c = 0.75f};
    if (s.n < 1)
        return fprintf(stderr, "reduce_chainrule: expected a number of elements, found '%s'\n", argv[1]),
               EXIT_FAILURE;
    s.x = malloc((size_t)s.n * sizeof *s.x);
    s.dx = malloc((size_t)s.n * sizeof *s.dx);
    cr_status status = s.x && s.dx ? cr_context_new(&s.ctx) : CR_ENOMEM;
    for (int64_t i = 0; i < s.n && !status; i++) s.x[i] = (float)(i % 8191) / 2048 - 2;
    if (!status) status = cr_context_threads(s.ctx, argc > 2 ? atoi(argv[2]) : 1);
    if (!status) status = compile(&s, argc > 3 ? argv[3] : NULL);
    if (!status) status = bind(&s);
    if (status) return fprintf(stderr, "reduce_chainrule: %s\n", cr_status_text(status)), EXIT_FAILURE;
    char note[96];
    snprintf(note, sizeof note, "%d threads%s, %zu steps, %zu bytes of workspace",
             cr_context_thread_count(s.ctx), cr_program_compiled(s.program) ? ", loops compiled" : "",
             cr_program_steps(s.program), cr_program_workspace(s.program));
    struct protocol_bench bench = {
        .name = "Chainrule", .note = note, .self = &s, .reset = reset, .step = step, .calls = 1};
    int exit_status = protocol_serve(&bench);
    cr_run_free(s.run);
    cr_program_free(s.program);
    cr_context_free(s.ctx);
    free(s.x);
    free(s.dx);
    return exit_status;
}

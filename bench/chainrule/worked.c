/* How long does a cr_step of the worked example take, loss = (w*x - y)^2 with dloss/dw? A step of the protocol
 * is 1e5 of them; the time is that of one. worked_chainrule [COMPILER]: with one, loops are built by it. Step i gives the loss at w = 1 + (i % 64) / 16, x = 1, y = 2. */
#include <stdio.h>
#include <stdlib.h>

#include "chainrule.h"
#include "chainrule/compile.h"
#include "common/protocol.h"

enum { CALLS = 100000, EXAMPLES = 64 };

struct side {
    double w, x, y, loss, dw;
    cr_program *program;
    cr_run *run;
};

static void reset(void *self) {
    struct side *s = self;
    s->x = 1;
    s->y = 2;
}

static double step(void *self, size_t i) {
    struct side *s = self;
    s->w = 1 + (double)(i % EXAMPLES) / 16;
    for (int c = 0; c < CALLS; c++)
        if (cr_step(s->run)) exit(EXIT_FAILURE);
    return s->loss;
}

static cr_status compile(cr_program **out, const char *compiler) {
    cr_graph *g = cr_graph_new(NULL);
    cr_node w = cr_input(g, "w", CR_F64, 0, NULL), x = cr_input(g, "x", CR_F64, 0, NULL),
            y = cr_input(g, "y", CR_F64, 0, NULL), loss = cr_square(cr_sub(cr_mul(w, x), y)), dw;
    cr_grad(&dw, loss, 1, &w);
    cr_target *t = cr_target_new(g);
    cr_target_output(t, "loss", loss);
    cr_target_output(t, "dw", dw);
    return bench_compile(out, g, t, compiler);
}

static cr_status bind(struct side *s) {
    const struct {
        const char *name;
        double *at;
    } all[] = {{"w", &s->w}, {"x", &s->x}, {"y", &s->y}, {"loss", &s->loss}, {"dw", &s->dw}};
    cr_status status = cr_run_new(&s->run, s->program, NULL, NULL, 0);
    for (int i = 0; i < 5 && !status; i++)
        status = cr_bind(s->run, all[i].name, CR_F64, all[i].at, sizeof(double));
    return status;
}

int main(int argc, char **argv) {
    struct side s = {0};
    cr_status status = compile(&s.program, argc > 1 ? argv[1] : NULL);
    if (!status) status = bind(&s);
    if (status) return fprintf(stderr, "worked_chainrule: %s\n", cr_status_text(status)), EXIT_FAILURE;
    const char *note = cr_program_compiled(s.program) ? "loops compiled" : "";
    int exit_status =
        protocol_serve(&(struct protocol_bench){"Chainrule", note, &s, reset, NULL, step, CALLS});
    cr_run_free(s.run);
    cr_program_free(s.program);
    return exit_status;
}

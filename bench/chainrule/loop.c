/* What does a training loop add to its steps? loop_chainrule BATCH THREADS bare|train serves it behind the line protocol
 * (common/protocol.h): epochs of an MLP 784-512-256-10 with Adam, bare steps on batches that lie ready, or cr_train with
 * its shuffled rows, metrics, search for the first nan and best parameters. The check goes through the rows in their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chainrule.h"
#include "common/mlp_data.h"
#include "common/protocol.h"

static const char text[] =
    "input x: f32[batch, 784]\ninput y: i32[batch]\n"
    "param W1: f32[784, 512] = he_normal()\nparam b1: f32[512] = 0\n"
    "param W2: f32[512, 256] = he_normal()\nparam b2: f32[256] = 0\n"
    "param W3: f32[256, 10] = he_normal()\nparam b3: f32[10] = 0\n"
    "h = relu(relu(x @ W1 + b1) @ W2 + b2)\nloss = mean(cross_entropy(h @ W3 + b3, y))\n";

struct side {
    int64_t batch, steps, epochs; /* steps: of an epoch */
    bool train;
    cr_array *x, *y;
    cr_context *ctx;
    cr_model *model;
    cr_store *store;
    cr_train *loop;
    cr_graph *g; /* bare: */
    cr_program *program;
    cr_run *run;
    float loss;
};

static void need(cr_status status, const char *why) {
    if (!status) return;
    fprintf(stderr, "loop_chainrule: %s\n", why ? why : cr_status_text(status));
    exit(EXIT_FAILURE);
}

/* ---- The loop ---- */

static void begin_loop(struct side *s) {
    char batch[24];
    snprintf(batch, sizeof batch, "%lld", (long long)s->batch);
    need(cr_train_new(&s->loop, s->model, s->store, s->ctx), NULL);
    need(cr_train_data(s->loop, "x", s->x), cr_train_error(s->loop));
    need(cr_train_data(s->loop, "y", s->y), cr_train_error(s->loop));
    cr_train_set(s->loop, "batch", batch);
    need(cr_train_set(s->loop, "shuffle", "0"), cr_train_error(s->loop));
}

static double train_epoch(struct side *s) {
    char epochs[24];
    double loss;
    snprintf(epochs, sizeof epochs, "%lld", (long long)++s->epochs);
    cr_train_set(s->loop, "epochs", epochs);
    need(cr_train_run(s->loop), cr_train_error(s->loop));
    cr_train_metric(s->loop, 0, &loss, NULL);
    return loss;
}

/* ---- Bare steps ---- */

static void begin_bare(struct side *s) {
    static const char *const name[] = {"W1", "b1", "W2", "b2", "W3", "b3"};
    cr_node loss, param[6];
    s->g = cr_graph_new(s->ctx);
    need(cr_model_declare(s->model, "x", false, CR_F32, 2, (int64_t[]){s->batch, MLP_IN}), NULL);
    need(cr_model_declare(s->model, "y", false, CR_I32, 1, &s->batch), NULL);
    need(cr_model_build(&loss, s->model, s->g, NULL), "the model");
    for (int i = 0; i < 6; i++) param[i] = cr_find(s->g, name[i]);
    cr_target *t = cr_target_new(s->g);
    need(cr_target_output(t, "loss", loss), NULL);
    need(cr_minimise(t, "adam", loss, 6, param), cr_graph_error(s->g));
    need(cr_compile(&s->program, t, NULL), cr_graph_error(s->g));
    cr_target_free(t);
    need(cr_store_init(s->store, s->g, 0), cr_store_error(s->store));
    need(cr_run_new(&s->run, s->program, s->store, NULL, 0), NULL);
    need(cr_bind(s->run, "loss", CR_F32, &s->loss, sizeof s->loss), cr_run_error(s->run));
}

static double bare_epoch(struct side *s) {
    double sum = 0;
    float *x = cr_array_data(s->x);
    int32_t *y = cr_array_data(s->y);
    for (int64_t i = 0; i < s->steps; i++) {
        cr_bind(s->run, "x", CR_F32, x + i * s->batch * MLP_IN, (size_t)s->batch * MLP_IN * sizeof *x);
        cr_bind(s->run, "y", CR_I32, y + i * s->batch, (size_t)s->batch * sizeof *y);
        need(cr_step(s->run), cr_run_error(s->run));
        sum += (double)s->loss;
    }
    return sum / (double)s->steps;
}

/* ---- Both ---- */

static void end(struct side *s) {
    cr_train_free(s->loop);
    cr_run_free(s->run);
    cr_program_free(s->program);
    cr_graph_free(s->g);
    cr_store_free(s->store);
    cr_model_free(s->model);
    s->loop = NULL, s->run = NULL, s->program = NULL, s->g = NULL, s->store = NULL, s->model = NULL;
    s->epochs = 0;
}

static void reset(void *self) {
    struct side *s = self;
    end(s);
    need(cr_model_new(&s->model, text, sizeof text - 1, "mlp.cr", s->ctx, NULL), "the model");
    need(cr_store_new(&s->store, s->ctx), NULL);
    if (s->train) begin_loop(s);
    else begin_bare(s);
}

static void timed(void *self) {
    struct side *s = self;
    if (s->train) cr_train_set(s->loop, "shuffle", "1");
}

static double step(void *self, size_t i) {
    struct side *s = self;
    (void)i;
    return s->train ? train_epoch(s) : bare_epoch(s);
}

/* Images of noise: a time does not depend on what they show. */
static void make_data(struct side *s) {
    int64_t rows = s->steps * s->batch;
    uint64_t state = 1;
    need(cr_array_new(&s->x, s->ctx, CR_F32, 2, (int64_t[]){rows, MLP_IN}), NULL);
    need(cr_array_new(&s->y, s->ctx, CR_I32, 1, &rows), NULL);
    for (int64_t i = 0; i < rows * (MLP_IN + 1); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
        if (i < rows * MLP_IN) ((float *)cr_array_data(s->x))[i] = (float)(state >> 40) * 0x1p-24f;
        else ((int32_t *)cr_array_data(s->y))[i - rows * MLP_IN] = (int32_t)((state >> 33) % MLP_OUT);
    }
}

int main(int count, char **word) {
    if (count != 4 || atoi(word[1]) < 1 || atoi(word[2]) < 1) {
        fprintf(stderr, "usage: loop_chainrule BATCH THREADS bare|train\n");
        return 2;
    }
    struct side s = {.batch = atoi(word[1]), .train = strcmp(word[3], "train") == 0};
    s.steps = s.batch == 1 ? 200 : 100; /* in some second; of 128, 40 MB of rows, beyond a cache */
    need(cr_context_new(&s.ctx), NULL);
    need(cr_context_threads(s.ctx, atoi(word[2])), NULL);
    make_data(&s);
    struct protocol_bench bench = {
        s.train ? "cr_train" : "cr_step", "", &s, reset, timed, step, (double)s.steps};
    int status = protocol_serve(&bench);
    end(&s);
    cr_array_free(s.x);
    cr_array_free(s.y);
    cr_context_free(s.ctx);
    return status;
}

/* The MLP by hand behind the line protocol (common/protocol.h): mlp_reference FOLDER BATCH THREADS. */
#include "common/mlp_data.h"
#include "common/protocol.h"
#include "reference/mlp.h"
#include <stdio.h>
#include <stdlib.h>

struct side {
    struct mlp_data data;
    struct mlp *mlp;
};

static void reset(void *self) {
    struct side *s = self;
    mlp_set(s->mlp, s->data.parameters);
}

static double step(void *self, size_t i) {
    struct side *s = self;
    size_t k = i % MLP_BATCHES * s->data.batch;
    return (double)mlp_step(s->mlp, s->data.x + k * MLP_IN, s->data.y + k);
}

static int serve(const char *folder, size_t batch, int threads) {
    struct side s;
    if (mlp_data_read(&s.data, folder, batch)) return EXIT_FAILURE;
    int status = EXIT_FAILURE;
    s.mlp = mlp_create(batch, threads);
    if (!s.mlp)
        fprintf(stderr, "mlp_reference: no memory, no threads, or a sequential OpenBLAS for %d threads\n",
                threads);
    else
        status = protocol_serve(
            &(struct protocol_bench){"C and OpenBLAS", mlp_library(), &s, reset, NULL, step, 1});
    mlp_destroy(s.mlp);
    mlp_data_free(&s.data);
    return status;
}

int main(int count, char **word) {
    protocol_idle();
    if (count == 4 && atoi(word[2]) > 0 && atoi(word[3]) > 0)
        return serve(word[1], (size_t)atoi(word[2]), atoi(word[3]));
    fprintf(stderr, "usage: mlp_reference FOLDER BATCH THREADS\n");
    return 2;
}

/* Training of a model on data: its parts. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "base/text.h"
#include "tensor/shape.h"

enum { train_metrics = 32, train_name = 64 };

/* Data of an input, borrowed: an observation is a row of an array, or `window` rows or bytes, every `step`. */
struct column {
    char name[256];
    const char *source;    /* the file of the data, or NULL */
    const cr_array *array; /* or `own`, in the input's dtype; NULL: text */
    cr_array *own;
    const unsigned char *text;
    size_t text_bytes;
    int64_t window, step; /* window 0: a row */
    bool whole;           /* the same in every batch */
    int rank;             /* of the input */
    cr_dtype dtype;       /* of the input, once it is built */
    size_t row_bytes;     /* of one observation; of all, where whole */
    size_t step_bytes;    /* in the array, from one observation to the next */
    char *batch;          /* the rows of the present batch */
    size_t batch_bytes;
};

/* The model compiled for batches of one size, to train or to predict. */
struct phase {
    int64_t rows;
    bool training;
    cr_graph *g;
    cr_program *program;
    cr_run *run;
    double value[train_metrics]; /* what the last step gave */
};

struct metric {
    char name[train_name];
    double training, validation; /* means over the last epoch; validation nan without one */
};

/* Of a trained parameter, at the last step. */
struct gradient {
    struct cr_text name;
    double norm;
};

struct cr_train {
    struct mem mem;
    cr_context *ctx;
    cr_model *model;
    cr_store *store;
    struct column *column;
    size_t columns, column_cap;
    const char *source;               /* of the columns to come */
    int64_t rows, trained, validated; /* observations: all, and those of each use */
    struct phase phase[4];            /* train and predict, whole batches and the last, shorter one */
    struct metric metric[train_metrics];
    int metrics;                 /* the first is the loss */
    double value[train_metrics]; /* of the last step */
    uint32_t own_nodes;          /* of the training graph: what the model built, before the optimiser */
    int64_t *order;
    int64_t order_count;
    /* Options. */
    char method[512], best[train_name];
    int method_line; /* of the model's text, which named the method; 0: an option did */
    bool best_is_most, shuffle;
    int64_t batch, epochs, patience, seed;
    double validation;
    char compiler[512], cache[1024]; /* "0": loops are run by the built-in way; "": the usual place */
    int compiled;                    /* 1, 0: the training was begun so; -1: it begins */
    /* What steps tell of themselves, where asked to. */
    bool tells;
    int gradients; /* parameters that are trained */
    struct gradient *gradient;
    double rate;
    /* Where the training stands. */
    int64_t epoch, step, position; /* position: rows of the present epoch behind us */
    double sum[train_metrics];     /* of metrics times rows, over them */
    double best_value;
    int64_t best_epoch; /* 0: none yet */
    cr_train_progress_fn *progress;
    void *user;
    struct cr_text error;
    const char *reason;
    cr_status status; /* of set-up: sticks */
};

/* Keeps the first sentence and gives the status. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
cr_status
train_fail(struct cr_train *t, cr_status status, const char *format, ...);
cr_status train_memory(struct cr_train *t);

/* "y.idx: 'y'": how sentences call a column. */
struct called {
    char s[400];
};
struct called train_called(const char *source, const char *name);

/* phase.c */
/* The phase for batches of `rows`, built if there is none yet. */
cr_status train_phase(struct phase **out, struct cr_train *t, int64_t rows, bool training);
void phase_drop(struct phase *p);
/* One step on the observations order[0 .. p->rows-1]. */
cr_status phase_step(struct cr_train *t, struct phase *p, const int64_t *order);
/* The graph of the model for batches of `rows`. */
cr_status train_build(struct cr_train *t, int64_t rows, bool training, cr_graph **g, cr_node *loss);
cr_status train_bad_parameter(struct cr_train *t, cr_status status, const cr_run *run);
/* The rows of the largest batch. */
static inline int64_t train_most_rows(const struct cr_train *t) {
    return t->rows < t->batch ? t->rows : t->batch;
}
/* Columns cast to what the inputs of g are, with room for batches; bound; filled with these observations. */
cr_status train_fit_columns(struct cr_train *t, cr_graph *g);
cr_status train_bind(struct cr_train *t, const cr_program *program, cr_run *run, cr_graph *g, int64_t rows);
void train_gather(struct cr_train *t, int64_t rows, const int64_t *order);

/* state.c: where a training stands, as tensors of the store. */
cr_status train_save_state(struct cr_train *t);
cr_status train_load_state(struct cr_train *t);
/* 1, 0: the training in the store was begun with compiled loops, or without; -1: there is none. */
int train_begun_compiled(const struct cr_train *t);
/* Sets the present parameters aside as the best so far. */
cr_status train_keep_best(struct cr_train *t);

/* order.c: which observations train and which validate, and in which order. */
cr_status train_split(struct cr_train *t);
void train_shuffle(struct cr_train *t, int64_t epoch);

#endif

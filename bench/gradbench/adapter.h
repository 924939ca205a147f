/* The GradBench adapter: a tool that GradBench's eval programs talk to (github.com/gradbench/gradbench, CONTRIBUTING.md:
 * a message of JSON a line in, an answer a line out). One file for each eval, which says what its functions compute; the
 * rest is adapter.c, problem.c and main.c. All of it is written over the public header. */
#ifndef GRADBENCH_ADAPTER_H
#define GRADBENCH_ADAPTER_H

#include <chainrule.h>
#include <jansson.h>

/* One function of one eval on one input: a graph, data bound to its inputs, and what it answers. Errors stick; the
 * sentence is in why. */
struct problem {
    cr_graph *g;
    cr_text *why, *sizes;
    struct bound {
        char name[24];
        cr_array *data;
    } in[24], out[32];
    int n_in, n_out;
    cr_node result[32];   /* of out */
    bool keeps_denormals; /* nothing vanishes on the way, as densities and probabilities do elsewhere */
};

struct eval {
    const char *name;
    const char *functions[4]; /* the last ones may be NULL */
    /* Builds function i, from data to outputs. Called anew for each message; nothing is kept between two. */
    bool (*build)(struct problem *p, const json_t *input, int i);
    /* The answer, where it isn't simply the numbers of the first output. May be NULL. */
    json_t *(*answer)(const struct problem *p, const json_t *input);
};
extern const struct eval eval_hello, eval_ode, eval_det, eval_gmm, eval_kmeans, eval_ba, eval_ht, eval_lstm,
    eval_lse, eval_llsq, eval_particle, eval_saddle;

/* How programs are run: the option `compile` of cr_options_set. */
struct adapter {
    const char *compile;
};
/* The answer to a message, to be released by the caller. */
json_t *adapter_answer(const struct adapter *a, const json_t *message);

/* ---- problem.c: what the evals' files are written with ---- */

/* Keeps the first sentence; false. */
bool problem_fail(struct problem *p, const char *sentence);
/* Numbers of JSON, nested to any rank, as f64 or i64. NULL: they are none, or ragged. */
cr_array *problem_numbers(struct problem *p, const json_t *numbers, cr_dtype dtype);
/* Memory to be filled for an input of the model. */
void *problem_give(struct problem *p, const char *name, cr_dtype dtype, int rank, const int64_t dims[]);
/* The data of an input of the model, which the problem then owns; NULL has failed. */
void problem_take(struct problem *p, const char *name, cr_array *data);
/* A whole number that the model may use by this name as a size. */
void problem_size(struct problem *p, const char *name, int64_t value);
/* Builds a model: each input has the data given to it, or else what the JSON object holds by its name. */
cr_node problem_model(struct problem *p, const char *text, const json_t *input);
/* A node of the model by its name. */
cr_node problem_node(struct problem *p, const char *name);
/* An input of the graph with the data given under this name, for models built in C. */
cr_node problem_input(struct problem *p, const char *name);
/* false: failed */
bool problem_output(struct problem *p, const char *name, cr_node value);
/* The gradient of a loss by an input of the model, as the output of the same name. */
bool problem_gradient(struct problem *p, const char *name, cr_node loss, cr_node by);
/* An array as nested lists, or a number if its rank is 0. */
json_t *problem_list(cr_array *a);

#endif

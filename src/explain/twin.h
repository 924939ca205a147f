/* A graph again in double precision, to take differences in: rounding to f32 would drown them. */
#ifndef EXPLAIN_TWIN_H
#define EXPLAIN_TWIN_H

#include "base/mem.h"
#include "chainrule.h"

struct twin_leaf {
    cr_node node;
    cr_array *value; /* f64, or integers and bools as they are */
};

struct twin {
    struct mem mem;
    cr_graph *g;
    cr_eval *e;
    struct twin_leaf *leaf; /* all that it starts from, constants too: inputs with these values */
    size_t leaves, cap;
    cr_dtype narrowest; /* of callbacks in it, which compute in dtypes of their own; else f64 */
};

cr_status twin_open(struct twin *t, cr_context *ctx); /* twin_close after either */
void twin_close(struct twin *t);
/* An input that has the value of x: its node in *out. */
cr_status twin_add(struct twin *t, cr_node *out, cr_eval *from, cr_node x);
/* The narrowest dtype of the callbacks that x runs counts. */
void twin_note_callbacks(struct twin *t, cr_node x);
/* The op of y on these operands. */
cr_node twin_node(cr_node y, const cr_node x[]);

/* Which node of a graph became which of its twin. */
struct twin_map {
    cr_node *of; /* by id of the graph: its node in the twin */
    uint32_t ids;
    uint32_t *from; /* by id of the twin: the id in the graph, the first of several; 0: none */
    uint32_t from_ids;
    int stops; /* stop_gradients that were held */
};

/* What result and wrt are made of, again: leaves and random draws become inputs with the values of e; wrt[i] becomes leaf[i].
 * hold: stop_gradient holds its value; else it is its operand, and a while makes as many steps as it did. twin_map_free after either. */
cr_status twin_copy(struct twin *t, struct twin_map *m, cr_eval *e, cr_node result, int n,
                    const cr_node wrt[], cr_node leaf[], bool hold);
void twin_map_free(struct twin *t, struct twin_map *m);
/* A leaf or a random draw: nothing is computed that depends on an operand. */
bool twin_is_start(cr_node x);
/* What failed in the twin, building or running, is told to the graph g: as op says it. */
void twin_tell(const struct twin *t, cr_graph *g, const char *op, cr_status *status);
/* CR_OK if x is a node; else why it is none. */
cr_status twin_why_not(cr_node x);

/* How differences are taken of what is rounded to u: their error is some u / h, and h^2 before it is extrapolated. */
struct precision {
    double first_step[4]; /* tried in turn: closer in, past kinks nearby; 0: no more */
    double tiny_step;     /* to the left and right of a kink */
    double kink;          /* slopes there differ by more than this share */
    double rtol, atol;    /* at least */
};
const struct precision *twin_precision(const struct twin *t);

/* Differences of one node of a twin, along a line through the value of one leaf. */
struct probe {
    struct twin *t;
    const struct precision *precision;
    cr_program *program;
    cr_run *run;
    double *y; /* the node's value at the point tried last */
    size_t y_bytes;
};

enum { most_picks = 64 }; /* elements of a result that are looked at */

/* Within atol + rtol times the larger of them; an infinity agrees with itself alone. */
bool probe_agree(double a, double b, double rtol, double atol);

enum verdict { RIGHT, AT_KINK, UNSETTLED, WRONG };
struct finding {
    double found, expected;
    enum verdict verdict;
};

cr_status probe_open(struct probe *p, struct twin *t, cr_node y); /* probe_close after either */
void probe_close(struct probe *p);
/* Compares f[i].found with the slope of element pick[i] along the direction, at h = 0. Right: within atol + rtol
 * |slope|. At a kink: slopes to the left and right differ, and what was found is between them. Unsettled: the
 * differences do not converge far enough to tell. */
cr_status probe_judge(struct probe *p, size_t leaf, const double direction[], int n, const int64_t pick[],
                      double rtol, double atol, struct finding f[]);
/* *kink becomes true if the slopes of any element of the node differ to both sides: what adds elements up may hide it. */
cr_status probe_find_kink(struct probe *p, size_t leaf, const double direction[], bool *kink);

#endif

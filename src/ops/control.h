/* Control ops: call, cond, loop and implicit. What their attributes say behind the functions, and what their parts are. */
#ifndef OPS_CONTROL_H
#define OPS_CONTROL_H

#include "graph/function.h"
#include "ops/build.h"

/* A loop, of steps of the first function; while the second holds, if there is one. Operands: how many steps, where `counted`;
 * carry, xs, consts. Parts: the last carry; each y, a step in each row; each carry as it was before each step; how many steps
 * there were (i64). What no step wrote is 0. */
struct loop_attr {
    int64_t n; /* steps at most; below 0: no limit, and no parts with rows */
    int64_t carry, xs;
    int64_t reverse; /* the last step first */
    int64_t counted;
};
enum { loop_attr_words = sizeof(struct loop_attr) / sizeof(int64_t) };

static inline struct loop_attr loop_attr(const cr_graph *g, const struct node *n) {
    const int64_t *a = control_attr(g, n);
    return (struct loop_attr){a[0], a[1], a[2], a[3], a[4]};
}
/* Which parts of a loop are what. */
static inline int loop_ys(const cr_function *body, const struct loop_attr *l) {
    return (int)body->n_out - (int)l->carry;
}
static inline int loop_kept(const cr_function *body) {
    return (int)body->n_out;
} /* the first of the carries */
static inline int loop_count(const cr_function *body, const struct loop_attr *l) {
    return (int)body->n_out + (int)l->carry;
}

/* A loop that moves so many bytes a step at most is run, and compiled, with the program that it stands in. */
enum { loop_moves_little = 16 << 10 };

int control_part_count(const cr_graph *g, const struct node *n);
cr_dtype control_part(const cr_graph *g, const struct node *n, int k, struct shape *shape);

/* The node of a control op, whose operands are ready. */
cr_node control_node(cr_graph *g, int op, int functions, cr_function *const function[], int n_attr,
                     const int64_t attr[], int n, const cr_node x[]);
/* A loop whose operands are ready. */
cr_node control_loop(cr_graph *g, cr_function *body, cr_function *condition, const struct loop_attr *l, int n,
                     const cr_node x[]);

/* cr_scan of as many steps as count, an i64, says: `most` at most. */
cr_status control_counted(cr_node out[], cr_node count, cr_function *body, int64_t most, bool reverse,
                          int n_carry, const cr_node carry[], int n_xs, const cr_node xs[], int n_consts,
                          const cr_node consts[]);

/* A scan of ready operands in pieces, so that reverse mode keeps at most so many bytes, if that can be. How many, each cut again, `cuts` times in
 * all: 1 is not cut. */
int64_t control_pieces(const cr_function *body, const struct loop_attr *l, size_t bytes, int *cuts);
void control_in_pieces(cr_node out[], cr_graph *g, cr_function *body, const struct loop_attr *l, size_t bytes,
                       const cr_node x[]);

#endif

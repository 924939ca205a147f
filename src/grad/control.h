/* Derivatives of the ops that run functions: of all operands or results at once. */
#ifndef GRAD_CONTROL_H
#define GRAD_CONTROL_H

#include "ops/control.h"

/* A node, and what its derivatives are written in. Where there is none stands an error node. */
struct whole {
    cr_node y;
    int n, parts;          /* operands, results */
    const cr_node *x;      /* operands */
    const cr_node *g;      /* cotangent of each result; in reverse mode */
    const uint8_t *wanted; /* by operand */
    const cr_node *
        so_far; /* cotangent that each operand has from elsewhere; in reverse mode. NULL: not to be added to */
    uint8_t *includes; /* by operand: out[k] is so_far[k] and more; else it is to be added */
    const cr_node *t;  /* tangent of each operand; in forward mode */
    cr_node *out;      /* cotangent of each operand, or tangent of each result; error nodes at first */
};
typedef void whole_fn(const struct whole *w);

whole_fn call_vjp, call_jvp, cond_vjp, cond_jvp, loop_vjp, loop_jvp, implicit_vjp, implicit_jvp;

/* What is asked of a function: the first word of its question. */
enum derivation {
    DERIVE_VJP,
    DERIVE_JVP,
    DERIVE_LOOP_VJP,
    DERIVE_LOOP_JVP,
    DERIVE_CONDITION,
    DERIVE_ROW,
    DERIVE_SLICES,
    DERIVE_DISTINCT,
    DERIVE_WIDE,
    DERIVE_SELECT, /* choose.c */
    DERIVE_STEP,
    DERIVE_ANY
};

/* f's derivatives as functions, made once for each question. NULL: an error, which g tells.
 * vjp: of f's operands, then a cotangent for each result that has_g marks, to a cotangent for each operand wanted.
 * jvp: of f's operands, then a tangent for each that has_t marks, to a tangent for each result wanted. */
cr_function *derive_vjp(cr_graph *g, cr_function *f, const uint8_t has_g[], const uint8_t wanted[]);
cr_function *derive_jvp(cr_graph *g, cr_function *f, const uint8_t has_t[], const uint8_t wanted[]);

/* The layout of a loop's derivatives: which carries, xs and constants take part. */
struct loop_question {
    int carry, xs;
    uint8_t *in;   /* by operand of the body: active (carries), wanted or with a tangent (the others) */
    uint8_t *y;    /* by y: has a cotangent, or depends on what is active */
    uint8_t *kept; /* by carry: a cotangent arrives at its values before each step */
};
/* vjp: carry: cotangents of active carries, of constants wanted; xs: carries, xs, cotangents of ys, of kept carries; constants.
 * Results: those carries, then cotangents of xs wanted.
 * jvp: carry: carries, tangents of the active ones; xs: xs, tangents; constants, tangents. Results: those carries, ys, tangents of
 * ys that depend. */
cr_function *derive_loop_vjp(cr_graph *g, cr_function *body, const struct loop_question *q);
cr_function *derive_loop_jvp(cr_graph *g, cr_function *body, const struct loop_question *q);
/* A condition on the operands that the jvp's body has. */
cr_function *derive_condition(cr_graph *g, cr_function *condition, const struct loop_question *q);

/* The cotangent of f(x, c) at the root y = implicit(f, x, c), of y's cotangent g: -J^-t g. */
cr_node implicit_pull(cr_node y, cr_node g);
/* implicit of f on n operands x, the first of them improved by Newton's method: so its value follows the others, as its derivatives say
 * it does. */
cr_node implicit_refined(cr_function *f, int n, const cr_node x[]);

/* f of its distinct operands: same[i] is the first that operand i is. keep marks the results that stay; NULL: all. f itself where all
 * operands differ and all results stay. */
cr_function *derive_distinct(cr_graph *g, cr_function *f, const uint32_t same[], const uint8_t keep[]);

/* f in double precision (grad/wide.h). */
cr_function *derive_wide(cr_graph *g, cr_function *f, bool open);

/* Of a cotangent of f's first result, then f's operands, to the cotangent of the first: a row of the Jacobian. */
cr_function *derive_row(cr_graph *g, cr_function *f);

/* f for many slices at once: operands that batched marks have a leading axis, and so has every result. fold_keys: as in vmap. */
cr_function *derive_slices(cr_graph *g, cr_function *f, int64_t slices, bool fold_keys,
                           const uint8_t batched[]);
/* The control node y for many slices: x its operands, those with batched[k] with a leading axis more. An error node with the error
 * set: a callback. control_part_batch: part k of y, of what this gave. */
cr_node control_batch(cr_node y, int64_t slices, cr_node x[], const bool batched[], bool fold_keys);
cr_node control_part_batch(cr_node y, int k, int64_t slices, cr_node many);

/* depends[i]: does result i depend, differentiably, on an operand that in marks? False: out of memory. */
bool derive_depends(cr_graph *g, const cr_function *f, const uint8_t in[], uint8_t depends[]);

#endif

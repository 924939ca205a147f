/* A plan: which steps, in which order, on which bytes. Made from a graph that holds just what is wanted (a
 * private copy), and independent of any device. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "ops/build.h"

#define no_slot UINT32_MAX

enum slot_kind {
    SLOT_WORK,   /* in the workspace */
    SLOT_CONST,  /* numbers of a const node, or of the plan */
    SLOT_INPUT,  /* bound by the caller */
    SLOT_PARAM,  /* in the store */
    SLOT_SOURCE, /* seed or step number of the run */
    SLOT_BLOCK,  /* in a task's room for one block of a group */
};

/* Memory of one value. */
struct slot {
    enum slot_kind kind;
    uint32_t node;
    size_t bytes;
    size_t offset;        /* in the workspace or in the room, once placed */
    uint32_t first, last; /* the steps that write it first and read it last */
    const void *data;     /* SLOT_CONST */
};

/* What a node's numbers are: elements of a slot, strided. Shapes and strides are interned in the graph. */
struct view {
    uint32_t slot; /* no_slot: in a register of its step only, or never needed */
    uint32_t shape, stride;
    int64_t offset; /* in elements */
};

/* A loop takes nodes until it has this many. What they make for each other is some hundred tiles at most, which the second-level
 * cache holds; handed on in memory it would be as many values as the loop has elements. */
enum { loop_most = 384 };

enum step_kind { STEP_LOOP, STEP_REDUCE, STEP_KERNEL, STEP_COPY, STEP_CONTROL };

/* How a reduction goes through its operand, seen as `rows` rows of `run` elements side by side. Which it is, and the
 * order in which it combines, is a function of shape and axes alone. */
enum fold_kind {
    FOLD_NO,    /* neither */
    FOLD_LINES, /* each row to one number: the axes reduced are the last */
    FOLD_ROWS,  /* all rows to one: the axes reduced are the first */
};
/* A line is folded in blocks of so many elements, each in so many lanes; rows in blocks of so many rows. */
enum { fold_block = 4096, fold_lanes = 16, fold_rows = 64 };
/* Longer lines are kept whole where there are enough of them for threads to share, and a few of them fit a second cache. */
enum { whole_least = 8, whole_most = 1 << 17 };

/* How a step of a group goes through the group's rows. */
enum group_way {
    WAY_WHOLE,  /* it is of no group */
    WAY_ROWS,   /* row by row, of every batch element */
    WAY_SHARED, /* row by row, the same for every batch element */
    WAY_SUMS,   /* a product whose terms are rows: what each block comes to is added up */
};
/* What a product of a group leaves out: right of the diagonal nothing is wanted, or there are zeros. */
enum group_bound { BOUND_NONE, BOUND_COLUMNS, BOUND_TERMS, BOUND_ROWS };
/* Along the diagonal rows are in units of so many, from the first of the batch element on: none goes beyond its unit's last one. */
enum { diagonal_rows = fold_lanes };

/* LOOP: elementwise nodes of one shape, in order, and reductions of them. If it folds lines that are kept whole, the
 * loop has each row at hand: then it may also compute with the rows' results, number by number, and read them again
 * repeated along the rows, in a later pass over the row. The others: one node; COPY gathers a view into a slot of its own. CONTROL: a control op, which has no
 * slot, and those of its parts that something needs. */
struct step {
    enum step_kind kind;
    uint32_t first, n; /* nodes: plan->node[first .. first + n - 1] */
    bool tail;         /* nothing but updates needs it: runs when nothing can fail any more */
    bool lines,
        rows_too; /* of a LOOP: it has a FOLD_LINES, or is of a group and so goes by whole rows; a FOLD_ROWS */
    uint32_t shape;    /* of a LOOP */
    int64_t rows, run; /* of a LOOP with either */
    bool split;        /* it has rows since its group goes by rows: no FOLD_LINES */
    enum group_way way;
    uint32_t group; /* unless the way is WHOLE */
    enum group_bound
        bound;   /* of a product of a group; a loop has COLUMNS: each row goes as far as plan_up_to says */
    bool filled; /* of a product with COLUMNS: all of a row is read, zeros where nothing is computed */
    bool woven;  /* its right operand is turned over once for each batch element, to */
    size_t woven_at; /* this place in the room; of one batch element alone, in what all threads share */
    bool
        partial; /* of SUMS, of more rows than a product's slice has terms: slices behind the first add up at */
    size_t partial_at; /* this place in the room */
};
enum { woven_gap = 16 };   /* numbers after each of its rows */
enum { plan_slice = 512 }; /* terms of a product's sum that are one chain (device/cpu/gemm.h) */

/* Steps that run together, a block of rows after the other: what one makes for another is never there as a whole. Each of
 * the values that are cut has batch * rows rows. Blocks of one batch element run in order on one thread, where there are several;
 * of a single one in any order, on any thread. */
struct group {
    uint32_t first, n; /* steps */
    int64_t batch, rows, block;
    size_t bytes;   /* of a task's room; */
    size_t partial; /* behind them, of sums in slices: those that add term after term have none */
    size_t
        shared; /* of right operands that are turned over for all tasks; what loops leave stands behind them */
};

/* What a node does in its loop. */
enum loop_role {
    ROLE_WIDE,   /* elementwise, of the loop's shape */
    ROLE_NARROW, /* elementwise, one number for each row */
    ROLE_FOLD,   /* a reduction */
};

/* After the steps: param = value; or nothing to do, since a step of the tail writes it in place. */
struct update {
    uint32_t param, value;
    bool in_place;
};

struct plan {
    struct mem mem;
    cr_graph *g;
    struct view *view; /* by node */
    uint32_t *step_of; /* by node: the step that computes it; no_slot for leaves and views of them */
    struct slot *slot;
    size_t slots, slot_cap;
    struct step *step;
    size_t steps, step_cap;
    uint32_t *node; /* of the steps, together; of a loop with whole rows, in the order of its passes */
    uint8_t *
        pass; /* by place there: what needs a row's result is computed in a pass after the one that made it */
    size_t nodes, node_cap, pass_cap;
    struct group *group;
    size_t groups, group_cap;
    struct update *update;
    size_t updates;
    size_t workspace; /* bytes */
};

struct plan_wish {
    const uint32_t *output; /* ids of values to keep to the end */
    size_t outputs;
    const struct update *update;
    size_t updates;
    bool fuse;
    bool group;           /* steps may run block by block */
    size_t tasks;         /* threads that share a group's blocks */
    bool compiled;        /* loops are to be compiled, if that can be */
    bool keep;            /* every value keeps a slot of its own to the end */
    const uint8_t *again; /* by node: it is another one, computed again for late readers; NULL: none is */
};

/* CR_OK, or CR_ENOMEM or CR_ELIMIT. plan_drop after either. */
cr_status plan_make(struct plan *p, cr_graph *g, const struct plan_wish *wish);
void plan_drop(struct plan *p);

enum fold_kind plan_fold(const cr_graph *g, uint32_t node, int64_t *rows, int64_t *run);
/* How often at most a term of it is combined, and so rounded, on its way to the result. */
int64_t plan_fold_depth(const cr_graph *g, uint32_t node);
enum loop_role plan_role(const cr_graph *g, const struct step *loop, uint32_t node);
/* Are so many lines of this length kept whole? */
static inline bool plan_keeps_whole(int64_t rows, int64_t run) {
    return run <= fold_block || (rows >= whole_least && run <= whole_most);
}
/* Does the loop have whole rows at hand? */
static inline bool plan_whole_rows(const struct step *s) {
    return s->lines && plan_keeps_whole(s->rows, s->run);
}
/* Over a loop's rows: as many as its last node's, and one. */
static inline int plan_passes(const struct plan *p, const struct step *s) {
    return p->pass[s->first + s->n - 1] + 1;
}
/* Which node of its step makes the numbers that an operand is, read where they stand or as a view of them; -1: none. */
int plan_made_here(const struct plan *p, const struct step *s, uint32_t operand);
/* Must a later pass find node number i's numbers, though they have no place in memory? */
bool plan_crosses(const struct plan *p, const struct step *s, uint32_t i);

/* Of a value that is cut into blocks: do all batch elements share its rows? How many has all of it? */
static inline bool plan_cut_shared(const struct plan *p, const struct slot *s) {
    return p->step[s->first].way == WAY_SHARED;
}
static inline int64_t plan_cut_rows(const struct plan *p, const struct slot *s) {
    const struct group *g = &p->group[p->step[s->first].group];
    return plan_cut_shared(p, s) ? g->rows : g->rows * g->batch;
}

/* Does a step of a group make the same for every batch element, all of it in one block? Then it runs for the first one alone. */
static inline bool plan_runs_once(const struct plan *p, const struct step *s) {
    return s->way == WAY_SHARED && p->group[s->group].batch > 1 &&
           p->group[s->group].block == p->group[s->group].rows;
}

/* The first row behind the unit that this one is of. */
static inline int64_t plan_unit_end(int64_t row) { return (row / diagonal_rows + 1) * diagonal_rows; }

/* How many columns of a row products look at. */
static inline int64_t plan_up_to(int64_t row, int64_t run) {
    int64_t n = plan_unit_end(row);
    return n < run ? n : run;
}

/* Is this op run as one of the instructions of a loop? */
bool plan_elementwise(int op);
/* The node behind aliases that cost nothing (variable, stop_gradient). */
uint32_t plan_real(const cr_graph *g, uint32_t id);
/* Does the view stand in row-major order without gaps? */
bool plan_contiguous(const struct plan *p, uint32_t node);
const int64_t *plan_strides(const struct plan *p, uint32_t node);
size_t plan_node_bytes(const cr_graph *g, uint32_t node);
/* join.c: does operand k of a concat or unslice stand where the result has it? Then there is nothing to copy. */
bool plan_joined(const struct plan *p, uint32_t id, uint32_t k);
/* Where operand k of a concat or unslice, which lies there in one run, begins in the result. */
int64_t plan_place_of(const cr_graph *g, const struct node *n, uint32_t k);

/* What is known of a node's numbers right of the diagonal of its last two axes. */
enum { BEYOND_UNSEEN = 1, BEYOND_ZERO = 2, BEYOND_LEAST = 4, BEYOND_FREE = 8, ALL_FINITE = 16 };
/* mark: by node, such bits. UNSEEN: false there, and true elsewhere; LEAST: -inf; FREE: finite numbers there may be any. */
void plan_mark_causal(const struct plan *p, const struct plan_wish *wish, uint8_t *mark);

/* The stages, in order: views and slots with steps; passes of a step over rows; groups of steps; what is made where it is joined;
 * lifetimes and places. */
cr_status plan_steps(struct plan *p, const struct plan_wish *wish);
void plan_order(struct plan *p, const struct step *s);
cr_status plan_groups(struct plan *p, const struct plan_wish *wish);
cr_status plan_join(struct plan *p, const struct plan_wish *wish);
cr_status plan_place(struct plan *p, const struct plan_wish *wish);

#endif

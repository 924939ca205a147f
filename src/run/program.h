/* A compiled graph: its private copy, its plan, and the loops and kernels of its steps. Immutable once made.
 */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

#include <stdatomic.h>

#include "device/compiled.h"
#include "device/device.h"
#include "emit/kernels.h"
#include "graph/copy.h"
#include "plan/plan.h"
#include "rewrite/rewrite.h"
#include "run/key.h"

struct port {
    uint32_t text; /* name, interned in the program's graph */
    uint32_t node;
    uint32_t
        pattern; /* of an output: where its values stand in a sparse matrix (graph_pattern); 0: nowhere */
};

struct cr_options {
    struct mem mem;
    bool reference, trap_nan, finite, no_fuse, no_again, flush, anew;
    char *compiler,
        *cache; /* NULL: loops are run by the built-in way; where kernels are kept: the usual place */
    enum rewrite_level rewrite;
    double seconds;   /* at most, for the compiler */
    double megabytes; /* at most, of kernels kept */
    double steps;     /* compiled if so many steps repay it; 0: whether or not */
};

struct cr_program {
    struct mem mem;
    cr_context *ctx;
    atomic_size_t holders;
    struct key key;                /* under which the context's cache holds it; empty: it does not */
    const struct product *product; /* the context's when this was compiled */
    cr_graph *g;
    struct plan plan;
    uint8_t *again;           /* by node: it is another one, computed again; NULL: none is */
    struct loop *loop;        /* by step */
    struct kernel *kernel;    /* by node of the plan's steps */
    struct control **control; /* by step: the functions that it runs, or NULL; NULL: no step runs any */
    struct compiled compiled;
    struct kernel_units *units; /* by step, of compiled kernels; NULL: there are none */
    uint8_t *all;               /* by step: 1 */
    struct cr_text way;         /* how its loops are run, as a sentence */
    void **made;                /* by slot: constants that the program made (iota) */
    struct port *output;
    size_t outputs;
    struct port *leaf; /* inputs and parameters */
    size_t leaves, leaf_cap;
    struct hash_table ports; /* by number of the name: 1 + its place among the outputs, then the leaves */
    size_t tasks, scratch;   /* bytes a task */
    size_t room;             /* where in them a group's values stand */
    size_t shared;           /* bytes of all tasks together, besides */
    uint32_t most_operands;
    bool reference, trap_nan, finite, flush;
};

struct program_wish {
    cr_graph *g; /* taken over, also on failure */
    size_t outputs;
    const struct port *output; /* copied */
    size_t updates;
    const struct update *update;
    bool keep;
    bool inner;      /* of a function: whoever runs it settles it */
    uint32_t *input; /* of that: nodes of g, or 0; then what they are in the program's graph */
    size_t inputs;
    const struct cr_options *options; /* may be NULL */
};
/* Of the program's graph, which may become a copy where some values are computed again; its outputs, and the inputs of the wish, are
 * then nodes of that. */
cr_status program_plan(cr_program *p, const struct plan_wish *plan, const struct program_wish *wish);
cr_status program_make(cr_program **out, const struct program_wish *wish);
/* How its loops run, and with that what it needs. with: compiled with the program that runs it, or not at all. */
cr_status program_settle(cr_program *p, const struct cr_options *options, bool with);
/* One more cr_program_free is needed to free it. */
static inline void program_hold(cr_program *p) {
    atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
}
size_t program_bytes(const cr_program *p); /* about */
/* graph_copy, rewritten as the options ask (NULL: the defaults). */
cr_graph *program_copy(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                       const struct cr_options *options);
/* The same, where loops keep functions for their way back (rewrite/keep.h). */
cr_graph *program_copy_keeping(const cr_graph *from, const struct copy_wish *wish, uint32_t *map,
                               const struct cr_options *options);

/* The output of this name, else the input or parameter; or NULL. */
const struct port *program_port(const cr_program *p, const char *name);

/* The tensor that a node's view is, with slots standing where `slot` says. */
struct tensor program_tensor(const cr_program *p, uint32_t node, char *const slot[]);

/* Why a step failed, and of an index: the one found, and the size it must be below. */
struct failure {
    cr_status status;
    bool infinite; /* of CR_ENAN: an infinity, not a nan */
    bool output;   /* of CR_ENAN: of an output, wherever it was made */
    int64_t bad, limit;
    const cr_graph *inside; /* not NULL: it failed in a function that the step runs, at this node of it */
    uint32_t inside_node;
    int64_t trip; /* in which step of a loop; below 0: none */
};
/* What the program has of the options has changed. */
void run_look_again(cr_run *r);
int64_t run_bad_index(const cr_run *r); /* the index of the last step that failed with CR_EINDEX */
/* "mlp.cr:7:12: log (l) of x: made the first nan", cut to size. */
void failure_text(char *to, size_t size, const cr_graph *g, uint32_t node, const struct failure *f);

/* A step runs: itself, or its group, of which others are wanted. */
enum { STEP_RUNS = 1, STEP_WANTED = 2 };

struct place_of_run {
    int64_t seed, step;
    const cr_program *program; /* these two of compiled ones: */
    struct kernel_frame frame;
    struct call
        *straight; /* room for straight_most; where all active steps are calls: those of the tail last */
    size_t straights, straight_tail; /* how many, 0: not all are, or there are more; where the tail begins */
    char **slot;
    struct team team;
    struct tensor *operand; /* room for most_operands */
    uint32_t bad_node;      /* where a step failed */
    struct failure failure;
    const uint8_t *active; /* by step: 0, or some of these bits; NULL: all */
    struct call
        *call; /* by node of the plan's steps: loops that come down to calls; fn NULL: this one does not */
    struct nested **nested;     /* by step: where the functions that it runs run; or NULL */
    struct kernel_inner *inner; /* two by step: these, as compiled kernels see them; or NULL */
};
static inline bool program_step_is_active(const struct place_of_run *r, size_t s) {
    return !r->active || r->active[s];
}
/* Where slots of the workspace, constants and sources stand; no calls are known yet. False: out of memory. frame_drop after either. */
bool frame_make(struct place_of_run *r, const cr_program *p, char *workspace);
void frame_drop(struct place_of_run *r, const cr_program *p);
/* Where the plan put a slot of the workspace. */
char *frame_work_place(const struct place_of_run *r, const cr_program *p, uint32_t slot);
/* More calls than this do not notice what finding the next one takes. */
enum { straight_most = 32 };
/* As long as no slot moves, loops come down to calls; and where all active steps do, to a list of these. */
void frame_find_calls(struct place_of_run *r, const cr_program *p);
void frame_forget_calls(struct place_of_run *r, const cr_program *p);
/* Loops as the options ask: kernels, or a reason why not. Before scratch is known. CR_OK or CR_ENOMEM. */
cr_status program_compile(cr_program *p, const struct cr_options *options);
void program_drop_compiled(cr_program *p);
/* Reads a byte of each of their functions, so that these are in memory; of functions that steps run, of theirs. */
void program_touch_kernels(const cr_program *p);
/* Step s of them; and of a loop of a group the rows first .. end-1, and what is left to do when all rows are done. shared: where they
 * leave what they come to. */
void program_run_kernel(const cr_program *p, const struct team *team, char *const slot[], size_t s);
void program_run_rows(const cr_program *p, char *const slot[], char *shared, char *scratch, size_t s,
                      int64_t first, int64_t end);
void program_end_rows(const cr_program *p, char *const slot[], char *shared, size_t s);

/* Room for groups, behind all other scratch of a task. */
void program_make_groups(cr_program *p);
/* The steps of a group. */
void program_run_group(const cr_program *p, struct place_of_run *r, const struct group *g);

/* The threads and scratch of a run whose workspace this is. */
struct team program_team(const cr_program *p, char *workspace);
/* How compiled kernels see the run, from where it stands now. */
void program_kernel_frame(const cr_program *p, struct place_of_run *r);
/* Some of what frame_find_calls listed. */
void program_run_straight(const struct place_of_run *r, size_t first, size_t end);
/* The steps before the tail, where all that may fail stands, or those of the tail; without the copies at the end. */
cr_status program_run(const cr_program *p, struct place_of_run *r, bool tail);

#endif

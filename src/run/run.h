/* A run, for the files that bind it and step it. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "run/overlap.h"
#include "run/program.h"

struct binding {
    void *data;     /* of an input whose strides are not row-major: our copy */
    size_t copied;  /* bytes of that copy; 0: borrowed */
    cr_tensor view; /* where that copy comes from, anew at each step */
    bool direct;    /* an output that its step writes here */
    bool shared;    /* an output of whose memory something else that is bound, or the store, sees a part */
    int64_t dim[CR_MAX_RANK], stride[CR_MAX_RANK];
};

/* What a straight step looks at comes first: two cache lines. Straight: nothing was bound anew, nothing has failed, and a step is body, then tail
 * unless that is NULL, and nothing besides. */
struct cr_run {
    bool straight, flush;
    bool
        changed; /* an output is elsewhere, or an input where one is written, since the active steps were found */
    bool moved;       /* an input is elsewhere since calls were found */
    bool steady;      /* a step is straight unless one of these is so, or the last one failed */
    bool told;        /* of what failed: a sentence */
    cr_status status; /* of the last cr_bind */
    const cr_program *p;
    int64_t (*body)(const struct kernel_frame *f);
    int64_t (*tail)(const struct kernel_frame *f);
    struct place_of_run place;
    struct mem mem;
    cr_store *store;
    void *workspace; /* ours, or NULL */
    size_t workspace_bytes;
    struct binding *leaf;   /* by the program's leaves */
    struct binding *output; /* by its outputs */
    struct piece *
        piece; /* room for one by each of both; after the first step, outputs made where they are bound, sorted */
    size_t directs;  /* how many those are */
    uint8_t *active; /* by step */
    uint8_t *wanted; /* by slot: to find the active steps */
    char error[512];
};

/* All that a step needs besides numbers, wherever something is bound anew. */
cr_status run_ready(cr_run *r);
/* That part of it which stays as long as nothing moves. */
void run_find_calls(cr_run *r);
/* A step from the beginning; its end, after which the next may be straight; and a sentence of what failed. */
cr_status run_step(cr_run *r);
void run_done(cr_run *r);
cr_status run_failed(cr_run *r, cr_status status);

#endif

/* Steps that run functions: programs inside a program. */
#ifndef RUN_CONTROL_H
#define RUN_CONTROL_H

#include "ops/control.h"
#include "run/program.h"

/* A function compiled: where its program has its operands and results. */
struct inner {
    const cr_function *f;
    cr_program *program; /* NULL: a callback, or there is no function */
    uint32_t *in;        /* by operand: the program's input; 0: it does not look at it */
    uint32_t *out;       /* by result: the program's output; 0: nobody wants it */
    size_t workspace;    /* where its workspace starts in the step's memory */
};

/* What a step runs. Immutable, as the program is. */
struct control {
    struct mem mem;
    int op;
    struct loop_attr loop;
    struct inner inner[2];
    uint32_t *part; /* by part: its node in the program, 0: not wanted */
    int parts;
    size_t carry, carry_bytes; /* two copies of all carries start here; bytes of one */
    size_t *
        at; /* by operand of the first function: room for one, if it must be gathered; of carries: in a copy. By result of a
                 * callback: room for one that nobody wants */
    size_t bytes; /* of the step's memory, in all */
    bool small;   /* what moves from step to step is so small that it is rather copied */
};

/* For the control op that step s of p runs; what its functions need is not settled. */
cr_status control_make(struct control **out, const cr_program *p, size_t s, const struct cr_options *options);
/* Once they are: where in the step's memory everything is. */
cr_status control_lay_out(struct control *c);
/* As generated C has it: what step s of the program runs. */
struct emit_control control_emit(const void *program, size_t s);
void control_free(struct control *c);

/* Where it runs; memory: the step's. NULL: out of memory. */
struct nested *nested_new(const struct control *c, char *memory);
void nested_free(struct nested *n);
/* Its function i, as compiled kernels see it. */
struct kernel_inner nested_inner(const struct nested *n, int i);

cr_status control_run(const cr_program *p, struct place_of_run *r, size_t s);

#endif

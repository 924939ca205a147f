/* From a plan to plain C99: one function, its header, and the few helpers that it calls. */
#ifndef EMIT_EMIT_H
#define EMIT_EMIT_H

#include "base/intern.h"
#include "plan/plan.h"

struct emit_wish {
    const char *prefix; /* of every name: an identifier of C */
    size_t outputs;
    const uint32_t *output; /* nodes */
    const char *const *output_name;
};

/* CR_OK, CR_ENOMEM, or CR_EINVAL with a sentence in why (a buffer of 256) for what has no C yet. */
cr_status emit_c(struct cr_text *source, struct cr_text *header, const struct plan *p,
                 const struct emit_wish *wish, char why[256]);

/* ---- For the files of this room ---- */

/* Which kind of number a helper is written for. */
enum block_kind { BLOCK_ANY, BLOCK_REAL, BLOCK_INT };

/* One axis of a nest of loops, and which of its step's axes it stands for. */
struct axis {
    int64_t size;
    int from; /* the innermost of the step's axes in it: its strides are the nest's */
};

struct nest {
    int n, rows; /* axes; the first `rows` of them go through rows, the rest along a row */
    struct axis axis[CR_MAX_RANK];
};

struct emitter {
    struct mem mem;
    struct cr_text *out;
    const struct plan *p;
    cr_graph *g;
    const struct emit_wish *wish;
    bool exact;            /* kernels with the bits of the built-in ones; else a program that people read */
    struct cr_text values; /* of exact ones: the functions that they call, each once */
    const char *
        most; /* sin and cos are those of small angles, and note the largest here: "most", a lane; NULL: of all */
    int real;               /* the only float dtype, which may be changed by a macro; -1: there are two */
    struct intern used;     /* names of the function */
    uint32_t *name;         /* by node: its name, in `used`; intern_none: none yet */
    uint32_t *second;       /* by node: the name of its second result; intern_none: there is none */
    uint32_t *local;        /* by node: the name of its number in the present step; intern_none: none */
    struct cr_text helpers; /* names of blocks needed, each as "number dtype\n", the number of five digits */
    size_t row_numbers;     /* in the buffers of rows, of all steps the most */
    size_t rows_now;        /* and in those of the present step */
    int depth;              /* of indentation */
    struct nest nest;       /* of the present step */
    char *why;
    cr_status status;
};

cr_status emit_refuse(struct emitter *e, const char *format, ...);
void emit_line(struct emitter *e, const char *format, ...);
void emit_open(struct emitter *e, const char *format, ...); /* ... { */
void emit_close(struct emitter *e);

/* names.c */
bool emit_start_names(struct emitter *e); /* false: out of memory */
void emit_drop_names(struct emitter *e);
const char *emit_name(struct emitter *e, uint32_t node);
const char *emit_second_name(struct emitter *e, uint32_t node);
const char *emit_type(const struct emitter *e, cr_dtype dtype, char room[80]);
/* A name of its own for something that is no node. */
uint32_t emit_reserve(struct emitter *e, const char *wanted);

/* value.c: an elementwise node as an expression in its operands'. */
struct expression {
    char s[512];
};
void emit_value(struct emitter *e, struct cr_text *out, uint32_t node, const struct expression operand[]);
/* One step of a reduction. */
void emit_combine(struct emitter *e, struct cr_text *out, uint32_t node, const char *so_far,
                  const char *next);
const char *emit_start(const struct emitter *e, uint32_t node);
/* Has it a branch for large numbers? */
static inline bool emit_has_far(int op) { return op == OP_sin || op == OP_cos; }
/* Of exact ones: "sum_f64" of tree_sum_f64, line_sum_f64 and lines_sum_f64, noted as needed. */
void emit_fold_name(struct emitter *e, struct cr_text *out, uint32_t node);
/* The numbers of a constant, as literals. */
void emit_literal(const struct emitter *e, struct cr_text *out, cr_dtype dtype, const void *data, int64_t i);

/* library.c */
/* The name of a helper for numbers of this dtype, noted as needed. */
void emit_helper(struct emitter *e, struct cr_text *out, const char *name, cr_dtype dtype);
void emit_library(struct emitter *e, struct cr_text *out);
bool emit_has_helper(const char *name, cr_dtype dtype);

/* element.c: variables of loops, by axis; text as an expression (the text is dropped); "i * 3 + j", the row-major number
 * of indices over dims. */
extern const char *const emit_axis[CR_MAX_RANK];
struct expression emit_take(struct emitter *e, struct cr_text *t);
struct expression emit_number(struct emitter *e, int n, const int64_t dim[], const char *const index[]);
void emit_open_axis(struct emitter *e, int axis, int64_t size);
/* "2 + i * 3 + j", or 0. */
void emit_index(struct cr_text *out, int64_t offset, int n, const int64_t stride[],
                const char *const index[]);
/* Element of a view by other strides and indices than its own. */
void emit_element_of(struct emitter *e, struct cr_text *out, uint32_t node, int n, const int64_t stride[],
                     const char *const index[]);
/* Declares room for n numbers of a type that a step needs while it runs. */
void emit_scratch(struct emitter *e, const char *type, const char *name, int64_t n);

/* loop.c, kernel.c, matrix.c: one step each. */
void emit_loop(struct emitter *e, const struct step *s);
void emit_reduce(struct emitter *e, uint32_t node);
void emit_copy(struct emitter *e, uint32_t node);
void emit_kernel(struct emitter *e, uint32_t node);
void emit_matrix(struct emitter *e, uint32_t node);
/* Element of a view, at indices written as text by axis: "x[i * 3 + j]". */
void emit_element(struct emitter *e, struct cr_text *out, uint32_t node, int rank, const char *const index[]);

#endif

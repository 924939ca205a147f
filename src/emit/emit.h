/* From a plan to plain C99: a function, its header, the functions that its steps run, and the few helpers that they call. */
#ifndef EMIT_EMIT_H
#define EMIT_EMIT_H

#include "base/intern.h"
#include "graph/function.h"
#include "plan/plan.h"

/* A function that a step runs: planned, and where its plan has its operands and results. */
struct emit_function {
    const cr_function *f;     /* NULL: there is none */
    const struct plan *plan;  /* NULL: it is a callback */
    const void *program;      /* the caller's: whose plan it is */
    const uint32_t *in, *out; /* 0: it does not look at it; nobody wants it */
    const struct loop *loop;  /* by step of the plan */
};
struct emit_control {
    struct emit_function of[2];
    const uint32_t *part; /* by part of the step's node: the node that it is, 0: nobody wants it */
};

struct emit_wish {
    const char *prefix; /* of every name: an identifier of C */
    size_t outputs;
    const uint32_t *output; /* nodes */
    const uint32_t
        *output_pattern; /* by output: the values of which sparse matrix it is (graph_pattern); 0: of none */
    const char *const *output_name;
    const void *program;
    struct emit_control (*control)(const void *program, size_t step); /* what a STEP_CONTROL runs */
};

/* CR_OK, CR_ENOMEM, or CR_EINVAL with a sentence in why (a buffer of 256) for what has no C. */
cr_status emit_c(struct cr_text *source, struct cr_text *header, const struct plan *p,
                 const struct emit_wish *wish, char why[256]);

/* chainrule_math.h: mathematics in place of the C library's. */
void emit_math(struct cr_text *header);

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

/* A function of the file, as its callers must know it. */
struct emit_body {
    uint32_t name;  /* among the file's names */
    uint32_t text;  /* among its texts: what stands behind the name; of a callback, its parameters */
    size_t work;    /* bytes that it works in; 0: it takes no pointer to any */
    bool may_fail;  /* it gives a number */
    bool source[2]; /* it takes the number of the step, the seed */
    const cr_function *callback; /* or NULL */
};

/* What the functions of a file share. */
struct emit_file {
    struct cr_text helpers; /* names of blocks needed, each as "number dtype\n", the number of five digits */
    struct cr_text functions; /* those that steps run, each behind those that it calls itself */
    struct cr_text callbacks; /* their prototypes */
    struct intern names, texts;
    struct emit_body *body;
    size_t bodies, body_cap;
    /* Of exact ones: */
    size_t loops; /* numbers given to loops */
    size_t stack; /* bytes that a step's functions have on it */
};

/* emit.c. False: out of memory; to be dropped all the same. */
bool emit_start_file(struct emit_file *f, const struct mem *m);
void emit_drop_file(struct emit_file *f, const struct mem *m);

/* One function in the writing. */
struct emitter {
    struct mem mem;
    struct cr_text *out;
    const struct plan *p;
    cr_graph *g;
    const void *program;
    const struct emit_wish *wish;
    struct emit_file *file;
    bool exact;            /* kernels with the bits of the built-in ones; else a program that people read */
    struct cr_text values; /* of exact ones: the functions that they call, each once */
    const char *
        most; /* sin and cos are those of small angles, and note the largest here: "most", a lane; NULL: of all */
    const char *
        within; /* of lanes that a line does not fill: the condition under which this one has a number; NULL: each has */
    size_t then; /* the step whose loop takes rows of the product that is written (then.c); 0: it is stored */
    const char *place;  /* of lanes: the innermost index from 32 bits; NULL: as it is */
    bool nowhere;       /* these lanes are at no place that is compared with */
    bool products;      /* and whether they need those of device/cpu/gemm_compiled.h, */
    bool own_products;  /* which give the bits of this program's products */
    size_t shared_most; /* bytes that units of loops leave, of one the most */
    int real;           /* the only float dtype, which may be changed by a macro; -1: there are two */
    struct intern used; /* names of the function */
    uint32_t *name;     /* by node: its name, in `used`; intern_none: none yet */
    uint32_t *second;   /* by node: the name of its second result; intern_none: there is none */
    uint32_t *local;    /* by node: the name of its number in the present step; intern_none: none */
    uint8_t *placed;    /* by slot: it is a parameter of the function; NULL: none is */
    size_t row_numbers; /* in the buffers of rows, of all steps the most */
    size_t rows_now;    /* and in those of the present step */
    size_t
        inside; /* bytes that functions of a step work in, and what moves to and from them: of all steps the most */
    size_t inside_now;         /* and in those of the present step */
    bool may_fail;             /* it gives other numbers than 0 */
    int depth;                 /* of indentation */
    const struct group *group; /* whose block the present step works on; NULL: none */
    struct nest nest;          /* of the present step */
    char *why;
    cr_status status;
};

cr_status emit_refuse(struct emitter *e, const char *format, ...);
void emit_line(struct emitter *e, const char *format, ...);
void emit_open(struct emitter *e, const char *format, ...); /* ... { */
void emit_open_braces(struct emitter *e);                   /* { */
void emit_close(struct emitter *e);

/* words.c */
/* Keywords of C and of C++, which may include the header, and what the headers of C define. */
bool emit_is_word(const char *s);
/* Functions, types and variables of the library beyond these: no parameter minds, but a function must not stand in for them. */
bool emit_is_of_library(const char *s);
/* Does s stand among words parted by spaces, with one before the first and behind the last? */
bool emit_is_among(const char *words, const char *s);

/* names.c */
bool emit_start_names(struct emitter *e); /* false: out of memory */
void emit_drop_names(struct emitter *e);
const char *emit_name(struct emitter *e, uint32_t node);
const char *emit_second_name(struct emitter *e, uint32_t node);
const char *emit_type(const struct emitter *e, cr_dtype dtype, char room[80]);
/* A name of its own for something that is no node. */
uint32_t emit_reserve(struct emitter *e, const char *wanted);
const char *emit_reserved(const struct emitter *e, uint32_t name);
/* A name of the file's own, behind its prefix. */
uint32_t emit_file_name(struct emitter *e, const char *wanted);

/* value.c: an elementwise node as an expression in its operands'. */
struct expression {
    char s[512];
};
void emit_value(struct emitter *e, struct cr_text *out, uint32_t node, const struct expression operand[]);
/* Which operand of a comparison of i64 with places, which are below 2^31, is the place? 32 bits tell, and a vector has twice as many of them.
 * -1: it is no such comparison. */
int emit_place_operand(const struct emitter *e, uint32_t node);
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
/* Is it a name, behind the prefix, that a helper has or may get? */
bool emit_is_helper(const char *name);

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
/* Declares room for n numbers of a type that a step needs while it runs; the bytes of it. */
void emit_scratch(struct emitter *e, const char *type, const char *name, int64_t n);
size_t emit_scratch_bytes(int64_t n);
/* Where its element at indices over its first axes stands: "x", "&x[i * 6]"; by other strides and indices than its own. */
struct expression emit_pointer(struct emitter *e, uint32_t node, int rank, const char *const index[]);
struct expression emit_pointer_of(struct emitter *e, uint32_t node, int n, const int64_t stride[],
                                  const char *const index[]);
/* to[i] = the i-th element of a node; the second: what index says for the first axes, of which there are `fixed`. */
void emit_move(struct emitter *e, const char *to, uint32_t node);
void emit_move_rest(struct emitter *e, const char *to, uint32_t node, int fixed, const char *const index[]);
void emit_clear(struct emitter *e, const char *to, int64_t n);

/* function.c: what all functions have, and those that steps run. */
/* Offset or size in the workspace, in bytes. */
void emit_place(struct emitter *e, struct cr_text *out, size_t bytes);
size_t emit_whole_work(const struct emitter *e);
size_t emit_group_work(const struct emitter *e); /* where in it stands what groups work in */
void emit_declarations(struct emitter *e);
void emit_step(struct emitter *e, size_t step);
void emit_steps(struct emitter *e, bool tail);
/* Has this program, or a function that it runs, a node for which is() holds? */
bool emit_any_node(const struct emit_wish *wish, const struct plan *p, const void *program,
                   bool (*is)(const struct node *n, void *user), void *user);
/* A function that a step runs, written unless one like it is there: its first `carries` results go where operands came from. Called
 * as the formula calls it, or else as `otherwise` says. The status tells whether it could be. */
struct emit_body emit_body_of(struct emitter *e, const struct emit_function *f, uint32_t carries,
                              const char *otherwise);
/* Puts one more argument or parameter behind those that are there: a new line where the present one is long. */
void emit_argument(struct cr_text *out, int column, const char *s);

/* Is this name in a text? */
bool emit_mentions(const struct cr_text *t, const char *name);

/* inner.c: the same of exact ones, as far as they differ: the steps of a function, and what they work on. */
void emit_inner_steps(struct emitter *e, const struct emit_function *f);
/* So many bytes more of a thread's stack; too many are refused. */
void emit_take_stack(struct emitter *e, size_t bytes);
void emit_inner_declarations(struct emitter *e);

/* sparse.c: outputs that are the values of sparse matrices. False, with a sentence: one is too large for tables of int32_t. */
bool emit_patterns_fit(struct emitter *e);
/* The tables; nothing where no output is such. */
void emit_patterns(struct emitter *e);
/* Of an output: ", of a sparse matrix of 3 by 4", or nothing; "&step_patterns[0]", or NULL. */
void emit_pattern_shape(struct emitter *e, size_t output);
void emit_pattern_pointer(struct emitter *e, size_t output);

/* group.c: steps that run block by block; a product of them. */
void emit_group(struct emitter *e, const struct group *g);
void emit_block_product(struct emitter *e, const struct step *s);
/* Number, among the rows of all batch elements or of one, of the first row of the block that is at hand. */
const char *emit_block_row(const struct emitter *e, bool shared);

/* control.c, loop.c, kernel.c, matrix.c: one step each. */
void emit_control(struct emitter *e, size_t step);
void emit_loop(struct emitter *e, const struct step *s);
/* Its sums over rows, as they begin. Of a step of a group before any block of it. */
void emit_start_sums(struct emitter *e, const struct step *s);
void emit_reduce(struct emitter *e, uint32_t node);
void emit_copy(struct emitter *e, uint32_t node);
void emit_kernel(struct emitter *e, uint32_t node);
void emit_matrix(struct emitter *e, uint32_t node);
/* Element of a view, at indices written as text by axis: "x[i * 3 + j]". */
void emit_element(struct emitter *e, struct cr_text *out, uint32_t node, int rank, const char *const index[]);

#endif

/* chainrule.h - backpropagation for C.
 *
 * You write the mathematics once; Chainrule gives you its value, the local gradient at every node,
 * gradients of any order by the chain rule, and runs them.
 *
 *     cr_graph *g = cr_graph_new(NULL);
 *     cr_node x = cr_input(g, "x", CR_F64, 0, NULL);      // rank 0: a scalar
 *     cr_node y = cr_input(g, "y", CR_F64, 0, NULL);
 *     cr_node w = cr_param(g, "w", CR_F64, 0, NULL);
 *     cr_node loss = cr_square(cr_sub(cr_mul(w, x), y));
 *     cr_node dw;
 *     cr_grad(&dw, loss, 1, &w);                           // appended to the same graph
 *     ... cr_target_output, cr_compile, cr_run_new, cr_bind, cr_step: see examples/01_worked.c
 *     cr_graph_free(g);
 *
 * Conventions
 *   - Outputs come first in a parameter list. A function that can fail and has no node to return
 *     gives a cr_status: CR_OK (0) or the kind of failure.
 *   - Objects are opaque and come from cr_X_new and go with cr_X_free, which takes NULL.
 *   - Errors stick. A bad call to a builder gives an error node; a builder that gets one gives one;
 *     the graph keeps the first error as a sentence (cr_graph_error). Check once, at the end.
 *     Functions accept NULL objects and answer with CR_EINVAL or an error node.
 *   - The library never prints, aborts, exits, or changes its host's floating-point mode, locale,
 *     signals or thread counts.
 *   - Shapes are row-major, as in NumPy: rank and int64_t sizes, rank at most CR_MAX_RANK. An axis may
 *     be negative and then counts from the end.
 *   - One thread at a time per graph, store, run and eval. A program is immutable: any number of
 *     threads may run it, each with its own run.
 */
#ifndef CHAINRULE_H
#define CHAINRULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CR_API __attribute__((visibility("default")))
#else
#define CR_API
#endif

#define CR_VERSION_MAJOR 0
#define CR_VERSION_MINOR 1
#define CR_VERSION_PATCH 0

/* "0.1.0": of the library that runs, which may be newer than this header. */
CR_API const char *cr_version(void);

/* ---- Status --------------------------------------------------------------------------------- */

/* Every kind of failure: name, number (never reused), sentence. */
#define CR_STATUS_LIST(X)                                                                                    \
    X(CR_OK, 0, "no error")                                                                                  \
    X(CR_ENOMEM, 1, "out of memory")                                                                         \
    X(CR_EINVAL, 2, "a call that makes no sense: a missing object, a node of another graph, a wrong option") \
    X(CR_ESHAPE, 3, "shapes that do not fit")                                                                \
    X(CR_EDTYPE, 4, "a dtype that does not fit")                                                             \
    X(CR_EAXIS, 5, "an axis outside the rank, or given twice")                                               \
    X(CR_EINDEX, 6, "an index out of range")                                                                 \
    X(CR_ENAME, 7, "a name that is unknown, or taken")                                                       \
    X(CR_ESYNTAX, 8, "a formula that cannot be read")                                                        \
    X(CR_ELIMIT, 9, "a size, rank or count beyond a limit")                                                  \
    X(CR_EFILE, 10, "a file that cannot be opened, read or written")                                         \
    X(CR_EFORMAT, 11, "a file whose content is not what its format says")                                    \
    X(CR_ENAN, 12, "a nan or an infinity, trapped")                                                          \
    X(CR_EUNBOUND, 13, "an input without data, or a parameter without a value")                              \
    X(CR_ESTOPPED, 14, "stopped by a callback")                                                              \
    X(CR_ENODERIV, 15, "a derivative that does not exist")                                                   \
    X(CR_EFAIL, 16, "a method that did not reach its end")                                                   \
    X(CR_ESINGULAR, 17, "a matrix that is singular, or not positive definite")

typedef enum cr_status {
#define CR_STATUS_ENUM(name, number, sentence) name = number,
    CR_STATUS_LIST(CR_STATUS_ENUM)
#undef CR_STATUS_ENUM
} cr_status;

/* The sentence of a status; never NULL. */
CR_API const char *cr_status_text(cr_status status);

/* ---- Context: allocator and threads of the host ------------------------------------------------ */

/* Without one (NULL) an object uses malloc and the calling thread alone. A context outlives all that
 * was made with it. */
typedef struct cr_context cr_context;

/* size == 0 frees; ptr == NULL allocates; else resizes from old_size. Gives NULL when out of memory.
 * Memory is aligned for any C object. Called from one thread at a time per object that uses it. */
typedef void *cr_realloc_fn(void *user, void *ptr, size_t old_size, size_t size);

/* Runs body(arg, i) for every i in 0 .. count-1, on any threads, and returns when all are done. */
typedef void cr_parallel_fn(void *user, void (*body)(void *arg, size_t i), void *arg, size_t count);

CR_API cr_status cr_context_new(cr_context **out);
/* With an allocator for all memory of the context and of what is made with it. */
CR_API cr_status cr_context_new_with(cr_context **out, cr_realloc_fn *fn, void *user);
CR_API void cr_context_free(cr_context *ctx);
/* Threads for large work: 1 is the default; 0 asks for one per processor that the process may use. They start when a run first has work
 * for them, and anew in a process that is forked while no step is under way; they take no signals but of faults. CR_OK also where the library was built
 * without a thread pool; cr_context_thread_count tells what is used. Not to be called while a step is under way. */
CR_API cr_status cr_context_threads(cr_context *ctx, int count);
CR_API int cr_context_thread_count(const cr_context *ctx);
/* CSV and safetensors from 1 MiB on are mapped, not read, so that nothing is held beside the numbers they become. Off at first: should another
 * process cut a file short meanwhile, the system ends this one (SIGBUS). */
CR_API cr_status cr_context_map_files(cr_context *ctx, bool map);
/* The host's own parallel-for instead of a pool of ours; count: how many threads it uses. */
CR_API cr_status cr_context_parallel(cr_context *ctx, cr_parallel_fn *fn, void *user, int count);
/* Who computes matrix products of f32 and f64 in programs compiled from now on: "builtin" (the default; the library's own
 * kernels) or a library that this build has. CR_ENAME: it has none of that name. Each has bits of its own, equal for any
 * number of threads; strides that a library does not take (none of 1, lines that overlap) are left to the builtin.
 * A library is called on the threads of the context, one part of the product at a time, and none of its settings is changed.
 * "blis" copies operands into memory of its own, not the context's, and ends the process where there is none. */
CR_API cr_status cr_context_product(cr_context *ctx, const char *name);
CR_API const char *cr_context_product_name(int i); /* what there is, from 0: "builtin"; NULL past the last */

/* ---- Text: results and messages of any length ------------------------------------------------- */

typedef struct cr_text cr_text;
CR_API cr_status cr_text_new(cr_text **out, cr_context *ctx);
CR_API void cr_text_free(cr_text *text);
/* The text so far, ended by NUL; "" for NULL. Valid until the text is changed or freed. */
CR_API const char *cr_text_str(const cr_text *text);
CR_API size_t cr_text_size(const cr_text *text);
CR_API void cr_text_clear(cr_text *text);
CR_API cr_status cr_text_append(cr_text *text, const char *more); /* also of its own string */
/* The same as a string of JSON, in quotes; bytes that are no UTF-8 as U+FFFD. */
CR_API cr_status cr_text_json(cr_text *text, const char *s);

/* ---- Dtypes and tensors -------------------------------------------------------------------------- */

/* name, number, text, bytes. f16 and bf16 are for storage: arithmetic on them yields f32. */
#define CR_DTYPE_LIST(X)     \
    X(CR_BOOL, 0, "bool", 1) \
    X(CR_I32, 1, "i32", 4)   \
    X(CR_I64, 2, "i64", 8)   \
    X(CR_F16, 3, "f16", 2)   \
    X(CR_BF16, 4, "bf16", 2) \
    X(CR_F32, 5, "f32", 4)   \
    X(CR_F64, 6, "f64", 8)

typedef enum cr_dtype {
#define CR_DTYPE_ENUM(name, number, text, bytes) name = number,
    CR_DTYPE_LIST(CR_DTYPE_ENUM)
#undef CR_DTYPE_ENUM
} cr_dtype;

CR_API const char *cr_dtype_name(cr_dtype dtype);
CR_API size_t cr_dtype_size(cr_dtype dtype);

#define CR_MAX_RANK 16

/* Numbers in memory, borrowed: DLPack's DLTensor, field for field. */
typedef struct cr_tensor {
    void *data;
    struct {
        int32_t type; /* 1: host memory */
        int32_t id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code; /* 0 int, 2 float, 4 bfloat, 6 bool */
        uint8_t bits;
        uint16_t lanes; /* 1 */
    } dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: row-major without gaps */
    uint64_t byte_offset;
} cr_tensor;

/* Numbers in memory, owned: what a file reader gives. Row-major without gaps. */
typedef struct cr_array cr_array;
CR_API cr_status cr_array_new(cr_array **out, cr_context *ctx, cr_dtype dtype, int rank,
                              const int64_t dims[]);
CR_API void cr_array_free(cr_array *array);
CR_API cr_dtype cr_array_dtype(const cr_array *array);
CR_API int cr_array_rank(const cr_array *array);
CR_API const int64_t *cr_array_dims(const cr_array *array);
CR_API int64_t cr_array_count(const cr_array *array);
CR_API void *cr_array_data(cr_array *array);
CR_API size_t cr_array_bytes(const cr_array *array);
/* The same numbers in another dtype, as cr_cast converts them. */
CR_API cr_status cr_array_cast(cr_array **out, const cr_array *array, cr_dtype dtype);
/* As nested lists with the fewest digits that read back the same; json: nan and infinities as strings. */
CR_API cr_status cr_array_print(cr_text *out, const cr_array *array, bool json);

/* ---- Graph and nodes ------------------------------------------------------------------------------- */

typedef struct cr_graph cr_graph;

/* A value of a graph. A plain value: copy it, never free it; it dies with its graph. Do not look
 * inside: the fields may change. */
typedef struct cr_node {
    cr_graph *graph;
    uint32_t id;
    uint32_t epoch;
} cr_node;

CR_API cr_graph *cr_graph_new(cr_context *ctx); /* NULL when out of memory */
CR_API void cr_graph_free(cr_graph *g);
/* The first error, with op, shapes and position, or NULL. */
CR_API const char *cr_graph_error(const cr_graph *g);
CR_API cr_status cr_graph_status(const cr_graph *g);
/* Forgets the error, so that building may go on (a prompt that lives on after a typing mistake). */
CR_API void cr_graph_clear_error(cr_graph *g);
/* The float dtype that integers take when they meet a fraction: CR_F64 unless set (CR_F32). */
CR_API cr_status cr_graph_default_float(cr_graph *g, cr_dtype dtype);
CR_API size_t cr_graph_count(const cr_graph *g); /* nodes, the error node included */
CR_API size_t cr_graph_bytes(const cr_graph *g); /* memory held */
/* The present end of the graph, and dropping all nodes built since: their handles become error nodes. */
CR_API size_t cr_graph_mark(const cr_graph *g);
CR_API cr_status cr_graph_cut(cr_graph *g, size_t mark);
/* The position in the user's source that nodes built from now on are noted with; file may be NULL. */
CR_API void cr_graph_at(cr_graph *g, const char *file, int line, int column);
/* Names given from now on stand inside this scope: "h" makes "h.W". */
CR_API cr_status cr_scope_enter(cr_graph *g, const char *name);
CR_API cr_status cr_scope_leave(cr_graph *g);

/* Leaves. Names are unique among inputs and parameters. */
CR_API cr_node cr_input(cr_graph *g, const char *name, cr_dtype dtype, int rank, const int64_t dims[]);
CR_API cr_node cr_param(cr_graph *g, const char *name, cr_dtype dtype, int rank, const int64_t dims[]);
/* The value a parameter starts with (cr_store_init computes it): same shape, or one that broadcasts. */
CR_API cr_status cr_param_init(cr_node param, cr_node value);
/* A parameter that is not trained, but takes this value after every training step, as a running mean does: cr_minimise
 * sees to it. Of several values the last counts; cr_param_next: an error node where it has none. */
CR_API cr_status cr_param_update(cr_node param, cr_node value);
CR_API cr_node cr_param_next(cr_node param);
/* A literal: weak, it takes the float dtype of what it meets. */
CR_API cr_node cr_number(cr_graph *g, double value);
CR_API cr_node cr_const(cr_graph *g, cr_dtype dtype, int rank, const int64_t dims[], const void *data);
/* An identity that never merges with another: what one differentiates by besides leaves. */
CR_API cr_node cr_variable(cr_node x);

/* Names a node (a note beside it; a node may have several) and gives it back. */
CR_API cr_node cr_named(cr_node x, const char *name);
/* The node of that name: an error node, without an error in the graph, when there is none. */
CR_API cr_node cr_find(cr_graph *g, const char *name);

/* The i-th input or parameter, in the order in which they were made; an error node past the end. */
CR_API cr_node cr_leaf(cr_graph *g, int i);

/* What a node is. Of an error node: false, rank 0, "error", CR_F64. */
CR_API bool cr_ok(cr_node x);
CR_API int cr_rank(cr_node x);
CR_API const int64_t *cr_dims(cr_node x); /* until the next node is built */
CR_API int64_t cr_count(cr_node x);
CR_API cr_dtype cr_dtype_of(cr_node x);
CR_API const char *cr_name(cr_node x); /* its first name, or NULL */
CR_API const char *cr_op_of(cr_node x);
CR_API int cr_operand_count(cr_node x);
CR_API cr_node cr_operand(cr_node x, int i);
CR_API bool cr_same(cr_node a, cr_node b);
/* Where it was built: file may be NULL, line 0 when unknown. */
CR_API void cr_position(cr_node x, const char **file, int *line, int *column);

/* ---- Ops -------------------------------------------------------------------------------------------- */

/* One builder for each row of the op table (docs/ops.md is its manual): made from src/ops/ops.def. */
#include "chainrule_ops.h"

/* Any op by its name, for bindings: operands in order, attributes by name as in a formula. */
typedef struct cr_attr {
    const char *name;
    int count;             /* of values; a single value: 1 */
    const double *numbers; /* integers, sizes, true (1) and false (0), fractions */
    const char *text;      /* a dtype name or a word, else NULL */
} cr_attr;
CR_API cr_node cr_op(cr_graph *g, const char *name, int n, const cr_node operands[], int n_attrs,
                     const cr_attr attrs[]);

/* The op table, to list: name of row i, or NULL past the end; what it says; its form, as in a formula. */
CR_API const char *cr_op_name(int i);
CR_API const char *cr_op_help(int i);      /* one sentence */
CR_API const char *cr_op_signature(int i); /* "x, axis=all, keep=false" */
CR_API const char *cr_op_kind(int i);      /* "smooth", "piecewise", "zero derivative", "composite" ... */
/* The whole table as a manual in Markdown. */
CR_API cr_status cr_op_manual(cr_text *out);

/* ---- Derivatives: nodes appended to the same graph ------------------------------------------------ */

/* out[i] = d loss / d wrt[i], in reverse mode. loss is one number (rank 0, or one element), of a float dtype;
 * wrt are inputs, parameters or variables. Not reached from the loss: zeros of the right shape.
 * Again on the result for higher orders. On failure all out are error nodes. */
CR_API cr_status cr_grad(cr_node out[], cr_node loss, int n, const cr_node wrt[]);
/* out[i] = sum over j of cotangents[j] . d ys[j] / d wrt[i]. */
CR_API cr_status cr_vjp(cr_node out[], int n_ys, const cr_node ys[], const cr_node cotangents[], int n,
                        const cr_node wrt[]);
/* out[j] = sum over i of d ys[j] / d wrt[i] . tangents[i], in forward mode. */
CR_API cr_status cr_jvp(cr_node out[], int n_ys, const cr_node ys[], int n, const cr_node wrt[],
                        const cr_node tangents[]);
/* Whole matrices of derivatives, of a number of nodes that does not depend on their size: one sweep, for all directions at once.
 * out[i] is d y / d wrt[i], of the shape of y followed by that of wrt[i]. Forward mode makes a slice for each element of wrt, reverse
 * mode one for each of y; CR_BY_SHAPE takes the fewer. CR_ELIMIT: above 2^31 elements, or CR_MAX_RANK axes. */
typedef enum cr_mode { CR_BY_SHAPE = 0, CR_FORWARD = 1, CR_REVERSE = 2 } cr_mode;
CR_API cr_status cr_jacobian(cr_node out[], cr_node y, int n, const cr_node wrt[], cr_mode mode);
/* out[i*n + j] is d2 loss / d wrt[i] d wrt[j], of the shape of wrt[i] followed by that of wrt[j]: forward over reverse. */
CR_API cr_status cr_hessian(cr_node out[], cr_node loss, int n, const cr_node wrt[]);
/* out[i] = sum over j of d2 loss / d wrt[i] d wrt[j] . v[j], at a few times the cost of the gradient. */
CR_API cr_status cr_hvp(cr_node out[], cr_node loss, int n, const cr_node wrt[], const cr_node v[]);
/* ys for many xs at once: out[j] is ys[j] with xs[i] (any nodes that it depends on) replaced by batched[i], which has one more
 * leading axis, of the same size for all; and so has out[j]. Slice k is what ys is for slice k of each batched, but for random draws:
 * a draw whose key does not depend on the xs has k folded into its key (cr_fold_in), so that no two slices draw the same. */
CR_API cr_status cr_vmap(cr_node out[], int n_ys, const cr_node ys[], int n, const cr_node xs[],
                         const cr_node batched[]);

/* Derivatives that are mostly 0. A pattern says where a matrix has entries: compressed sparse rows (CSR). It lives by itself, and
 * outlives the graph it was found in. */
typedef struct cr_pattern cr_pattern;
/* y and wrt of any shape, each counted as one axis: row i is element i of y, column j element j of wrt, in row-major order. The pattern
 * is found from the graph, op by op, and holds every entry that is not 0 for all values. Rows or columns that never meet get one
 * colour, and one sweep for all colours at once gives *values, [count of the pattern], row by row. Free *pattern with cr_pattern_free.
 * Indices of gather and scatter_add are followed where they are constants. CR_ELIMIT: wrt of 2^31 elements, more than 2^28
 * dependences on the way, or 2^31 numbers in the sweep. On failure *values is an error node and *pattern NULL. */
CR_API cr_status cr_sparse_jacobian(cr_node *values, cr_pattern **pattern, cr_node y, cr_node wrt);
/* The same of the second derivatives of a loss, both halves: forward over reverse, in the colours of a star colouring. The
 * pattern is that of the gradient, made symmetric; entries (i, j) and (j, i) are one number. */
CR_API cr_status cr_sparse_hessian(cr_node *values, cr_pattern **pattern, cr_node loss, cr_node wrt);
/* values ([count of the pattern]) as the entries of a matrix, row by row: a node of its own, as cr_variable gives, beside which the graph
 * keeps a copy of the pattern. cr_sparse_jacobian and cr_sparse_hessian give such nodes. What has one as an output knows where
 * its numbers stand: cr_program_pattern, and the tables of cr_program_emit. What is computed from it has no pattern until it is
 * given one here. CR_ESHAPE: values of another shape; CR_EINVAL: no pattern. */
CR_API cr_node cr_sparse_values(const cr_pattern *p, cr_node values);
/* A copy of the pattern kept beside a node, or NULL where there is none. Free *out with cr_pattern_free. CR_EINVAL: an error node. */
CR_API cr_status cr_pattern_of(cr_pattern **out, cr_node values);
/* A pattern of the caller's: row i has its entries in columns[starts[i]] .. columns[starts[i+1] - 1], ascending. Both are copied.
 * CR_EINVAL: negative sizes, starts that do not begin at 0 or fall, columns outside or not ascending. */
CR_API cr_status cr_pattern_new(cr_pattern **out, cr_context *ctx, int64_t rows, int64_t columns,
                                const int64_t starts[], const int64_t indices[]);
CR_API void cr_pattern_free(cr_pattern *p);
CR_API int64_t cr_pattern_rows(const cr_pattern *p);
CR_API int64_t cr_pattern_columns(const cr_pattern *p);
CR_API int64_t cr_pattern_count(const cr_pattern *p);   /* entries */
CR_API int64_t cr_pattern_colours(const cr_pattern *p); /* products that a sweep makes; 0: of the caller's */
/* [rows + 1] and [count], until the pattern is freed; NULL for NULL. */
CR_API const int64_t *cr_pattern_row_starts(const cr_pattern *p);
CR_API const int64_t *cr_pattern_column_indices(const cr_pattern *p);
/* The matrix of this pattern and these values ([count]) times dense, [columns] or [columns, k]: [rows] or [rows, k]. Both have
 * derivatives; the pattern may be freed. */
CR_API cr_node cr_spmm(const cr_pattern *p, cr_node values, cr_node dense);

/* ---- Functions and control flow -------------------------------------------------------------------- */

/* A closed graph that nodes refer to: what a loop does in each step, the branch of a condition. Its body is held once, however
 * often it runs. Functions are used by one thread at a time, as graphs are; nodes and programs hold them as long as
 * they need them. Derivatives of what follows exist to every order and in both modes, and are functions too. */
typedef struct cr_function cr_function;
/* inputs: inputs of one graph; outputs: nodes of it that need no other input and no parameter (hand a parameter over as an
 * operand). What outputs need is copied; the graph may go on growing, or go. */
CR_API cr_status cr_function_new(cr_function **out, int n_in, const cr_node inputs[], int n_out,
                                 const cr_node outputs[]);
CR_API void cr_function_free(cr_function *f);
CR_API int cr_function_inputs(const cr_function *f);
CR_API int cr_function_outputs(const cr_function *f);

/* A function of the host's. Operands and results are row-major, in memory of ours; in are read only. It is called from
 * the thread that runs the step, must give the same for the same, and not call into the run. Any status but CR_OK fails the
 * step before anything is updated. */
typedef cr_status cr_callback(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]);
/* Builds the derivative as nodes: of operands x, results y and a cotangent for each result (an error node: none),
 * grads[i] = the cotangent of x[i], of its shape; left an error node: none. It may call other callbacks. */
typedef cr_status cr_callback_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                                  const cr_node y[], const cr_node cotangents[]);
/* The same forwards: tangents[i] of x[i] (an error node: none) to grads[j] of y[j]. */
typedef cr_status cr_callback_jvp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                                  const cr_node y[], const cr_node tangents[]);
/* in and out show dtype and shape. vjp or jvp may be NULL: then that mode fails with CR_ENODERIV. user must outlive every
 * node and program that holds the function. A context keeps programs for graphs to come (cr_compile), also when cr_program_free was
 * called on them: in one, user must outlive the context. */
CR_API cr_status cr_function_callback(cr_function **out, const char *name, int n_in, const cr_node in[],
                                      int n_out, const cr_node results[], cr_callback *fn,
                                      cr_callback_vjp *vjp, cr_callback_jvp *jvp, void *user);
/* How far a callback's results are from exact at most, in units in the last place of each: 1 until it is said. cr_digits counts with it.
 * To be said before others use f. CR_EINVAL: f is no callback, or ulps is below 0 or nan. */
CR_API cr_status cr_function_ulps(cr_function *f, double ulps);

/* In all of these, out has room for the results, operands are of the shapes and dtypes of the function's inputs (a number
 * repeats, a literal takes the dtype), and on failure every out is an error node. */

/* out[i]: the results of f. */
CR_API cr_status cr_call(cr_node out[], cr_function *f, int n, const cr_node x[]);
/* The results of yes where condition (one bool) holds, else of no; the other does not run. Both take the same operands
 * and give results of the same shapes and dtypes. */
CR_API cr_status cr_cond(cr_node out[], cr_node condition, cr_function *yes, cr_function *no, int n,
                         const cr_node x[]);
/* n steps of body(carry.., slice of xs.., consts..) = (carry.., y..). xs have a leading axis of n, of which step i sees
 * element i; reverse: step n-1 first. out: the last carry.., then each y with a leading axis of n. The shapes and dtypes of the
 * carry stay. The reverse mode keeps each step's carry, and runs the body again, but for elementwise functions whose results take
 * at most 16 MiB in all: those a program keeps. */
CR_API cr_status cr_scan(cr_node out[], cr_function *body, int64_t n, bool reverse, int n_carry,
                         const cr_node carry[], int n_xs, const cr_node xs[], int n_consts,
                         const cr_node consts[]);
/* The same, where reverse mode is to keep at most so many bytes of carries: a scan of shorter scans, each of which runs again on the way
 * back; these too are cut where the bytes ask for it, and then run once more. Values, and gradients but for the sign of a zero, have the
 * bits of cr_scan's. Fewer bytes than some 2 log2(n) carries are taken as that. */
CR_API cr_status cr_scan_within(cr_node out[], size_t bytes, cr_function *body, int64_t n, bool reverse,
                                int n_carry, const cr_node carry[], int n_xs, const cr_node xs[],
                                int n_consts, const cr_node consts[]);
/* f on each of n elements: a scan without a carry. */
CR_API cr_status cr_map(cr_node out[], cr_function *f, int64_t n, int n_xs, const cr_node xs[], int n_consts,
                        const cr_node consts[]);
/* While condition(carry.., consts..), one bool: carry.. = body(carry.., consts..). Forward mode without limit; reverse mode
 * needs max_trips, which sizes memory, and more trips fail the run with CR_ELIMIT; below 0: no limit. out: carry.. */
CR_API cr_status cr_while(cr_node out[], cr_function *condition, cr_function *body, int64_t max_trips,
                          int n_carry, const cr_node carry[], int n_consts, const cr_node consts[]);

/* x as it is, known to solve f(x, consts..) = 0, whichever way it was found: derivatives are those of the root, by the
 * implicit function theorem. f has one result of the shape of x. Of an argmin take its gradient as f; of a fixed point
 * x = h(x), x - h(x). A singular Jacobian fails the step that needs the derivative. */
CR_API cr_node cr_implicit(cr_function *f, cr_node x, int n_consts, const cr_node consts[]);

/* ---- Formulas and model files ------------------------------------------------------------------------ */

/* One expression over the nodes already named in g: cr_formula(g, "(w*x - y)^2"). */
CR_API cr_node cr_formula(cr_graph *g, const char *text);

/* A model: formula text, read but not yet built, since named sizes may still be open. */
typedef struct cr_model cr_model;
/* name: what messages call the text ("mlp.cr"), or NULL. A mistake gives CR_ESYNTAX and, in why (which
 * may be NULL), a sentence with line, column, a caret and what was expected. */
CR_API cr_status cr_model_new(cr_model **out, const char *text, size_t size, const char *name,
                              cr_context *ctx, cr_text *why);
CR_API cr_status cr_model_load(cr_model **out, const char *path, cr_context *ctx, cr_text *why);
CR_API void cr_model_free(cr_model *m);
/* Names that are used but not declared, in order of first use; NULL past the end. */
CR_API const char *cr_model_free_name(const cr_model *m, int i);
/* The i-th input or parameter that the text declares outside of functions, in its order, with dtype and rank; NULL past the
 * end. What is not wanted may be NULL. */
CR_API const char *cr_model_leaf(const cr_model *m, int i, bool *param, cr_dtype *dtype, int *rank);
/* The optimiser that the text names ("adam(rate=0.001)", for cr_minimise), and in which line; NULL: none. */
CR_API const char *cr_model_optimiser(const cr_model *m, int *line);
/* For training (true) or prediction (false, at first): what `training` is in formulas; dropout without a key of its own
 * is for training alone. */
CR_API void cr_model_training(cr_model *m, bool training);
/* Gives such a name, or an input with open sizes, a dtype and shape; unless given it is an f64 scalar input.
 */
CR_API cr_status cr_model_declare(cr_model *m, const char *name, bool param, cr_dtype dtype, int rank,
                                  const int64_t dims[]);
/* Binds a named size. Sizes that a cr_model_declare of a declared input shows are bound by it. */
CR_API cr_status cr_model_size(cr_model *m, const char *name, int64_t size);
/* Builds the model in g; its names become names of nodes there. The last expression, or the last
 * bound name, is *result (may be NULL). */
CR_API cr_status cr_model_build(cr_node *result, cr_model *m, cr_graph *g, cr_text *why);
/* As cr_formula, where the expression may also call the functions that the model defines. A mistake is the graph's. */
CR_API cr_node cr_model_formula(const cr_model *m, cr_graph *g, const char *text);

/* The formula of a node, down to named nodes and leaves: "(w*x - y)^2". cr_print_latex: the same as LaTeX. */
CR_API cr_status cr_print(cr_text *out, cr_node x);
CR_API cr_status cr_print_latex(cr_text *out, cr_node x);
/* The graph as a model that cr_model_new reads: every input, parameter (with its initial value) and name, and what they
 * need; then result (an error node: none). Reading it into an empty graph of the same default float builds the same
 * nodes. Functions that nodes run (scan, cond ...) are functions of the text, called as they were, and a number: step_1; what other functions and layers made is written
 * out (h.W stays a name), named sizes are numbers, and what is used more than once gets a name, n1, n2 ... CR_ENAME: a name that
 * the language cannot write; CR_EINVAL: a callback, which has no text, says the graph's sentence. */
CR_API cr_status cr_print_model(cr_text *out, cr_graph *g, cr_node result);
/* The node, built again in simpler form (1*x, x+0, constants folded ...). */
CR_API cr_node cr_simplify(cr_node x);
/* The node, built again in forms that lose fewer digits and are finite in more places: log(1 + x) as log1p(x), the logarithm of a softmax
 * as log_softmax, 1/(1 + exp(-x)) as sigmoid(x) ... The same but for rounding. What is differentiated after it has better derivatives
 * too. Names inside are those of the nodes it was built from; functions that it runs (cr_scan ...) stay as they are. */
CR_API cr_node cr_stable(cr_node x);

/* ---- Compile and run ---------------------------------------------------------------------------------- */

typedef struct cr_target cr_target;
CR_API cr_target *cr_target_new(cr_graph *g);
CR_API void cr_target_free(cr_target *t);
/* A value to compute, under a name that is bound later. */
CR_API cr_status cr_target_output(cr_target *t, const char *name, cr_node value);
/* After all else of a step, param takes value. */
CR_API cr_status cr_target_update(cr_target *t, cr_node param, cr_node value);

/* Options by name; an unknown name or value is CR_EINVAL.
 *   "device"     "cpu" (default), "reference" (the oracle: double precision, node by node, slow)
 *   "trap_nan"   "0", "1": a step fails at the first node, in the order of the graph, that makes a nan of operands
 *                without one, or an infinity of operands without one. Every node runs alone then, which is slower
 *   "finite"     "0", "1": a step fails, before any update, if an output that is bound has a nan or an infinity
 *   "flush_denormals"  "0", "1": within a step numbers too small to be normal count as 0, which is faster where
 *                many are (gradients of a net that fits its data); the floating-point mode of every thread is back
 *                on leaving. x86-64 and ARM64; elsewhere no effect
 *   "fuse"       "1", "0": one pass for a chain of elementwise ops
 *   "recompute"  "1", "0": large values that are read late are computed again there, where that takes less than to keep them. No bit
 *                changes
 *   "rewrite"    "exact" (default): what keeps every bit, but for the sign of a zero where a product of matrices adds but one
 *                term, or a reduction takes one; "none"; "all": what is equal but for rounding where every number is finite, and forms that lose fewer digits (cr_stable).
 *                Neither with trap_nan nor on the reference device
 *   "reuse"      "1" (default): a graph of a structure that was compiled before in its context gets that program again: the same
 *                ops, attributes, constants, shapes, dtypes, names, positions and options, in the same order. So a loop that
 *                rebuilds its graph at every step pays for building it; a number that changes should be an input. The context
 *                holds the last programs, at most 128 and about 64 MiB of them, and none that runs functions of another context.
 *                "0": compiled anew, and not held
 *   "compile"    "0" (default): loops are run by the built-in vectorised executor; no process is started. Else a C compiler, by name or
 *                path, or "cc" for the system's: loops become C, which it compiles for this processor, and which is loaded. The bits
 *                are the same, so it is a matter of speed alone: where there is no compiler, or it fails, takes too long or
 *                makes nonsense, cr_compile goes the built-in way and cr_program_way says why
 *   "cache"      the directory in which compiled loops are kept, for programs of the same structure and other processes to find;
 *                made if need be, and not used unless only you may write to it. "chainrule" in $XDG_CACHE_HOME or ~/.cache unless
 *                given; it may be removed at any time
 *   "cache_megabytes"  "256": what was used longest ago is removed from it when there is more, by whoever compiles
 *   "compile_for"  "0" (default): compiled whether or not it pays; else the number of steps that are to come: compiled only if they
 *                repay it, by an estimate of what compiling takes and saves
 *   "compile_seconds"  "60": after so many seconds the compiler is killed */
typedef struct cr_options cr_options;
CR_API cr_options *cr_options_new(cr_context *ctx);
CR_API void cr_options_free(cr_options *o);
CR_API cr_status cr_options_set(cr_options *o, const char *name, const char *value);

typedef struct cr_program cr_program;
/* Copies what the target needs, plans it, and gives a program that outlives graph and target; or the program that an equal
 * graph gave before ("reuse"). On failure the graph keeps the sentence. options may be NULL. */
CR_API cr_status cr_compile(cr_program **out, const cr_target *t, const cr_options *options);
CR_API void cr_program_free(cr_program *p);              /* not before the runs of it */
CR_API size_t cr_program_workspace(const cr_program *p); /* bytes a run needs */
/* Are its loops compiled? And how they are run, as a sentence: by which compiler, or why by the built-in way. */
CR_API bool cr_program_compiled(const cr_program *p);
CR_API const char *cr_program_way(const cr_program *p);
CR_API size_t cr_program_steps(const cr_program *p); /* kernels launched by one cr_step */
/* The i-th input that a run must bind, and the i-th output; NULL past the end. */
CR_API const char *cr_program_input(const cr_program *p, int i);
CR_API const char *cr_program_output(const cr_program *p, int i);
/* Of an output that is the values of a sparse matrix (cr_sparse_values): a copy of its pattern, or NULL where it is none. Free *out with
 * cr_pattern_free. CR_ENAME: there is no output of this name. */
CR_API cr_status cr_program_pattern(cr_pattern **out, const cr_program *p, const char *output);
/* The plan as text: a line of sums (of values: the memory of what steps leave, within the workspace), then every step with the bytes that it reads and writes and its operations, the nodes that it
 * computes with their ops and shapes, and the updates. */
CR_API cr_status cr_program_print(cr_text *out, const cr_program *p);
/* How the target becomes a program, stage by stage: its graph, the graph rewritten, the plan, where values stand in memory and from
 * which step to which, the way in which loops run, and the C of cr_program_emit, or why there is none. */
CR_API cr_status cr_compile_print(cr_text *out, const cr_target *t, const cr_options *options);

/* The program as plain C99 for other programs, with no library behind it: a function PREFIX and a header PREFIX.h, which
 * says what it takes, how many bytes it works in, and where the values of sparse matrices stand (cr_program_pattern). Outputs and
 * updates are those of the target; only libm is called, and callbacks: PREFIX_NAME is declared there, for the other program to define. On
 * failure (CR_EINVAL: a prefix that is no identifier, or a word of C, C++ or the library of C; callbacks that differ under one name) why, which may be
 * NULL, has a sentence. */
CR_API cr_status cr_program_emit(cr_text *source, cr_text *header, const cr_program *p, const char *prefix,
                                 cr_text *why);
/* What such programs include as "chainrule_math.h" where PREFIX_NO_LIBM is defined: own mathematics, in place of libm, for all of
 * them. */
CR_API cr_status cr_emit_math(cr_text *header);

typedef struct cr_store cr_store;
/* Named tensors: parameters and optimiser state, shared by programs. One writer at a time. */
CR_API cr_status cr_store_new(cr_store **out, cr_context *ctx);
CR_API void cr_store_free(cr_store *s); /* not before the runs on it */
/* Copies bytes in; an existing name must keep dtype and size. The shape is the parameter's. */
CR_API cr_status cr_store_set(cr_store *s, const char *name, cr_dtype dtype, const void *data, size_t bytes);
CR_API cr_status cr_store_get(const cr_store *s, const char *name, cr_dtype dtype, void *data, size_t bytes);
/* The same with a shape, which files keep; data NULL: memory that is to be filled (cr_store_data). */
CR_API cr_status cr_store_set_tensor(cr_store *s, const char *name, cr_dtype dtype, int rank,
                                     const int64_t dims[], const void *data);
/* A copy with its shape, to be freed by the caller. CR_ENAME when there is none. */
CR_API cr_status cr_store_array(cr_array **out, const cr_store *s, const char *name);
/* The tensor itself: NULL when there is none. Name of the i-th, or NULL past the end. */
CR_API void *cr_store_data(cr_store *s, const char *name, cr_dtype *dtype, size_t *bytes);
CR_API const char *cr_store_name(const cr_store *s, int i);
CR_API const char *cr_store_error(const cr_store *s);
/* Every parameter of g that has a cr_param_init and is not yet in the store is computed, from the seed. */
CR_API cr_status cr_store_init(cr_store *s, cr_graph *g, int64_t seed);

typedef struct cr_run cr_run;
/* A run of a program. workspace: at least cr_program_workspace bytes aligned to 64, borrowed; or NULL, 0:
 * ours. Parameters that the store lacks are CR_EUNBOUND at the first step. */
CR_API cr_status cr_run_new(cr_run **out, const cr_program *p, cr_store *store, void *workspace,
                            size_t bytes);
CR_API void cr_run_free(cr_run *r);
/* Binds an input or output to memory, borrowed until bound anew: name, dtype and size are checked here,
 * once. An output left unbound (or bound to NULL) is not computed. Outputs may overlap inputs: these are read
 * first. After a step that fails, outputs hold anything. Errors stick until the next cr_bind that
 * succeeds. */
CR_API cr_status cr_bind(cr_run *r, const char *name, cr_dtype dtype, void *data, size_t bytes);
/* The same of a DLPack view, of any strides (an output's elements must not share memory), in host memory, one lane,
 * each number aligned to its size. The view itself may go; what it shows is borrowed. */
CR_API cr_status cr_bind_tensor(cr_run *r, const char *name, const cr_tensor *view);
/* The seed that random draws derive their keys from (0 unless set), and the number of the next step (0 at
 * first, counted up by each step that succeeds). */
CR_API cr_status cr_run_seed(cr_run *r, int64_t seed);
CR_API cr_status cr_run_set_step(cr_run *r, int64_t step);
/* What the first step would do besides: it finds where everything stands, and has memory and code at hand, so that no step takes longer than
 * another. A small program (some 10,000 operations and numbers; no callback, no cr_while without a limit) is walked through a few times with zeros for its inputs and
 * parameters: what is bound is neither read nor written, no step is counted, floating-point modes and flags and errno stay; the workspace is
 * written. May be left out. Fails as that step would where something is not bound. */
CR_API cr_status cr_run_ready(cr_run *r);
/* Forward, backward, updates: all of the target, once. On failure (index out of range, trapped nan)
 * no parameter has changed. Allocates nothing. */
CR_API cr_status cr_step(cr_run *r);
CR_API const char *cr_run_error(const cr_run *r); /* the sentence, or NULL */

/* ---- Values while the graph grows ---------------------------------------------------------------------- */

typedef struct cr_eval cr_eval;
/* Answers values of nodes as they are built, so that loops of the caller may depend on them. Each value is
 * computed once and kept; cr_graph_cut drops those of the nodes cut. Parameters that are not set come from the store: what was
 * computed before the store changed stays as it is, until cr_eval_set or cr_eval_option. */
CR_API cr_status cr_eval_new(cr_eval **out, cr_graph *g, cr_store *store);
CR_API void cr_eval_free(cr_eval *e);
/* Copies the data of an input or parameter in and forgets values computed from what it was. */
CR_API cr_status cr_eval_set(cr_eval *e, cr_node leaf, cr_dtype dtype, const void *data, size_t bytes);
/* "trap_nan" and "flush_denormals" as cr_options_set has them; computed values are forgotten. */
CR_API cr_status cr_eval_option(cr_eval *e, const char *name, const char *value);
/* Computes n nodes together, so that what they share is known to be needed once, and in the order of the graph. */
CR_API cr_status cr_eval_all(cr_eval *e, int n, const cr_node x[]);
CR_API cr_status cr_eval_value(cr_eval *e, cr_node x, cr_dtype dtype, void *data, size_t bytes);
CR_API double cr_eval_number(cr_eval *e, cr_node x); /* of one element; nan on failure */
/* The value as an array of its own, to be freed by the caller. */
CR_API cr_status cr_eval_array(cr_array **out, cr_eval *e, cr_node x);
CR_API const char *cr_eval_error(const cr_eval *e);

/* ---- Minimise: parameters that make a loss least
 * --------------------------------------------------------------- */

typedef struct cr_fit cr_fit;
/* loss is one number of a float dtype, or a tensor called `residual`, which stands for the sum of its squares; params are n
 * parameters of f32 or f64, of any shapes, whose starting values are in the store (or have a cr_param_init). All must outlive the fit
 * but the graph, which keeps the sentence of a failure.
 *   A loss made of sums or means of squares, times positive numbers and weights that no parameter reaches, is known as least squares
 * (as is one whose graph has a node called `residual`), up to 256 parameters; only then are there standard errors. */
CR_API cr_status cr_fit_new(cr_fit **out, cr_node loss, int n, const cr_node params[], cr_store *store);
CR_API void cr_fit_free(cr_fit *f);
/* Binds an input, as cr_bind. */
CR_API cr_status cr_fit_bind(cr_fit *f, const char *name, cr_dtype dtype, void *data, size_t bytes);
/* Options by name:
 *   "method"          "auto" (default: lm for least squares, else lbfgs), or a minimiser (cr_minimiser_name):
 *                     "lm" (Levenberg and Marquardt's, as More 1978 has it, with the exact Jacobian),
 *                     "lbfgs" (Nocedal 1980), "cg" (nonlinear conjugate gradients, Hager and Zhang 2005), "newton" (Newton's steps by
 *                     conjugate gradients, along a line), "trust" (the same within a region of trust, Steihaug 1983), "gd" (gradient
 *                     descent). All but lm and gd are scaled by the Hessian's diagonal, up to 64 numbers; newton and trust multiply by
 *                     the exact Hessian, which is never formed. Steps along lines meet the strong Wolfe conditions or, where the loss no
 *                     longer resolves a step, those of Hager and Zhang
 *   "iterations"      at most so many (10000)
 *   "tolerance"       lm: ends when the residual's part within the Jacobian's columns is at most this share of it (0: goes on as long
 *                     as floating point gives more); others: when |gradient_i| max(|param_i|, 1) is at most this times
 *                     max(|loss|, 1) for all i (1e-11). From 0 to 1
 *   "rate"            of gd: fixed; without it each step is found by backtracking
 *   "robust"          of lm: "none" (default), "huber", "soft_l1", "cauchy": residuals far above the scale count less than their squares
 *   "robust_scale"    the residual (over its sigma) from where they do (1); from 1e-100 to 1e100
 *   "starts", "seed"  so many starts (1), the best end counts: between two bounds anywhere; else the given start (1 for 0) times 10^u,
 *                     |u| up to 1 at first, to 5 later, some with the other sign
 *   "absolute_sigma"  "1": cr_fit_sigma's are the errors' true sizes; "0" (default): only their ratios count, and the size is found
 *                     from the residuals
 *   "flush_denormals"  "0", "1": as cr_options_set has it, in every evaluation */
CR_API cr_status cr_fit_set(cr_fit *f, const char *name, const char *value);
/* Holds a parameter at its value, or frees it again. */
CR_API cr_status cr_fit_fix(cr_fit *f, const char *name, bool fixed);
/* Keeps every number of a parameter between low and high, which may be infinite. A start outside is moved in. */
CR_API cr_status cr_fit_bounds(cr_fit *f, const char *name, double low, double high);
/* Measurement errors: residual i counts as residual_i / sigma_i. n numbers, copied, one for each residual; 0: none. */
CR_API cr_status cr_fit_sigma(cr_fit *f, int64_t n, const double sigma[]);
/* Called after each iteration; false stops, with the best point so far in the store and CR_ESTOPPED. */
typedef bool cr_fit_progress_fn(void *user, int64_t iteration, double loss, double gradient_norm);
CR_API void cr_fit_progress(cr_fit *f, cr_fit_progress_fn *fn, void *user);
/* CR_OK: reached the tolerance, or a point where no step lowers the loss any more. The store holds the best
 * point seen, and on any failure what it held before. Allocates nothing in an iteration. */
CR_API cr_status cr_fit_run(cr_fit *f);
CR_API double cr_fit_loss(const cr_fit *f);          /* what was minimised, sigma and robust counted */
CR_API double cr_fit_gradient_norm(const cr_fit *f); /* its gradient's largest component */
CR_API int64_t cr_fit_iterations(const cr_fit *f);
CR_API int64_t
cr_fit_evaluations(const cr_fit *f); /* of loss and gradient, a Jacobian, or a Hessian's product */
CR_API const char *cr_fit_reason(const cr_fit *f); /* why it ended, as a sentence */
CR_API const char *cr_fit_error(const cr_fit *f);  /* NULL: none */
CR_API const char *cr_fit_method(const cr_fit *f); /* the minimiser used */
/* The minimisers, to list: the name of the i-th, or NULL past the end; what it does. */
CR_API const char *cr_minimiser_name(int i);
CR_API const char *cr_minimiser_help(int i);
/* What one should know of the result: parameters that the data do not determine, a Jacobian near singular. NULL: nothing. */
CR_API const char *cr_fit_warning(const cr_fit *f);

/* The numbers fitted, one after the other over all parameters: how many; "b1" or "W[0, 2]", appended; the value found. */
CR_API int64_t cr_fit_count(const cr_fit *f);
CR_API cr_status cr_fit_label(cr_text *out, const cr_fit *f, int64_t i);
CR_API double cr_fit_estimate(const cr_fit *f, int64_t i);
/* "free", "fixed", "at a bound", "not determined". */
CR_API const char *cr_fit_state(const cr_fit *f, int64_t i);

/* Of least squares, whatever the method; nan otherwise, or where a number is not determined. Errors are those of the problem made
 * linear at the end found; numbers that are fixed or at a bound have error 0. */
CR_API double cr_fit_standard_error(const cr_fit *f, int64_t i);
CR_API double cr_fit_covariance(const cr_fit *f, int64_t i, int64_t j);
CR_API double cr_fit_correlation(const cr_fit *f, int64_t i, int64_t j);
/* Student's t interval about the estimate: confidence 0.95 for 95 %. */
CR_API cr_status cr_fit_interval(const cr_fit *f, int64_t i, double confidence, double *low, double *high);
/* By how many standard errors an interval reaches to either side: Student's t for the fit's degrees of freedom. */
CR_API double cr_fit_quantile(const cr_fit *f, double confidence);
/* P(|t| > |estimate/error|) if the number were 0 in truth. */
CR_API double cr_fit_significance(const cr_fit *f, int64_t i);
/* By name: "observations" (residuals), "parameters" (that moved), "freedom" (degrees of freedom), "rss" (sum of squared residuals,
 * weighted), "residual_deviation", "chi2" and "reduced_chi2" (with weights or sigma), "r2" (where the residual is a difference of
 * observed and predicted), "log_likelihood", "aic", "bic" (of normal errors; the errors' size counts as a parameter), "condition" (of the
 * Jacobian with columns of length 1). nan: none. */
CR_API double cr_fit_statistic(const cr_fit *f, const char *name);
/* The residuals (weighted) at the end, count of them; until the fit runs again or goes. NULL: none. */
CR_API const double *cr_fit_residuals(const cr_fit *f, int64_t *count);
/* The interval within which the sum of squares, all others fitted anew, stays below what the confidence allows (profile likelihood, Bates
 * and Watts 1988). An end that is never reached is infinite, or the bound. */
CR_API cr_status cr_fit_profile(cr_fit *f, int64_t i, double confidence, double *low, double *high);
/* The value of y [n] at the parameters found, and its standard error by them, linearly. y may be of another graph, whose parameters are
 * found by name and set in e; its inputs are as e has them. value, error: room for cr_count(y) numbers. */
CR_API cr_status cr_fit_predict(const cr_fit *f, cr_eval *e, cr_node y, double value[], double error[]);

/* ---- Train: optimisers as graphs ---------------------------------------------------------------------- */

/* Appends to the target what one training step does to params (n parameters): gradients of the loss, then an optimiser's
 * step for each. Its state are parameters too ("adam.W1.mean"), 0 at first: cr_store_init makes them, a store keeps them.
 *   method  "adam(rate=0.001)": an optimiser and its options, those left out at their defaults (cr_optimiser_name). An
 *           option is a number, or a formula of `step` (the number of the run's step, from 0) and names of the graph:
 *           "sgd(rate=0.1*0.5^(step//1000), momentum=0.9)". All optimisers have
 *             clip=c          each gradient is kept in -c .. c
 *             clip_norm=c     all gradients together are scaled to Euclidean norm c if theirs is greater
 *             accumulate=k    parameters change at every k-th step, by the mean of k gradients
 * A parameter with a cr_param_update has no gradient and no step: it takes that value instead.
 * On failure the graph keeps the sentence. */
CR_API cr_status cr_minimise(cr_target *t, const char *method, cr_node loss, int n, const cr_node params[]);
/* One step for one parameter, as nodes, so that it may itself be differentiated: from p, its gradient, the number of
 * steps before it, and the optimiser's state (0 to 2 nodes of p's shape) to out[0], the new p, and out[1..n], the new
 * state. `accumulate` has no effect here. On failure all out are error nodes. */
CR_API cr_status cr_optimise(cr_node out[], const char *method, cr_node p, cr_node gradient, cr_node step,
                             int n, const cr_node state[]);
/* The optimisers, to list: the name of the i-th, or NULL past the end; what it does; its options with defaults. */
CR_API const char *cr_optimiser_name(int i);
CR_API const char *cr_optimiser_help(int i);
CR_API const char *cr_optimiser_signature(int i);

/* ---- Train: a model on data, batch by batch ---------------------------------------------------------------- */

typedef struct cr_train cr_train;
/* A training of a model, whose inputs hold one observation for each row of their first axis, with parameters and all
 * else that it remembers in the store. Model, store and context outlive it. */
CR_API cr_status cr_train_new(cr_train **out, cr_model *model, cr_store *store, cr_context *ctx);
CR_API void cr_train_free(cr_train *t);
/* The observations of an input, borrowed: one for each row. Axes beyond those that the input has are merged: images
 * [n, 28, 28] serve x: f32[batch, 784]. And what is the same for all of them. */
CR_API cr_status cr_train_data(cr_train *t, const char *input, const cr_array *array);
CR_API cr_status cr_train_constant(cr_train *t, const char *input, const cr_array *array);
/* The file that the data given next comes from, which sentences name; borrowed. NULL: none. */
CR_API void cr_train_source(cr_train *t, const char *file);
/* Or windows of a sequence, borrowed: observation i is the rows (of a text: the bytes, 0 to 255) from i step on, length of
 * them, so that the input is [batch, length, ..]. A text's input is i32 or i64. */
CR_API cr_status cr_train_windows(cr_train *t, const char *input, const cr_array *sequence, int64_t length,
                                  int64_t step);
CR_API cr_status cr_train_text(cr_train *t, const char *input, const void *text, size_t size, int64_t length,
                               int64_t step);
/* Options by name:
 *   "optimiser"   as cr_minimise takes it ("adam")
 *   "epochs"      passes over the data (10)
 *   "batch"       observations of a step (32); the last batch of an epoch may be shorter
 *   "validation"  a number of observations, or a share below 1 of them, that do not train (0)
 *   "best"        which epoch is the best: "loss", "max accuracy", "min error" ... of the validation, or without one of
 *                 the training: "loss"
 *   "patience"    ends after so many epochs without a better one (0: never)
 *   "seed"        of initial values, order, validation and random draws (0)
 *   "shuffle"     "1", "0": a new order in every epoch
 *   "gradients"   "1", "0": steps tell their rate and the norms of their gradients (cr_train_gradient); changes no other bit ("0")
 *   "compile", "cache"  as cr_options_set has them, and "compile" "auto": by the system's compiler, if the steps to come repay it
 *                 ("0"). Settled before the first step; a training that goes on is run as it was begun */
CR_API cr_status cr_train_set(cr_train *t, const char *name, const char *value);
/* Called after each step and each epoch; false stops (CR_ESTOPPED), to go on at the next cr_train_run. */
typedef bool cr_train_progress_fn(void *user, const cr_train *t, bool epoch_ended);
CR_API void cr_train_progress(cr_train *t, cr_train_progress_fn *fn, void *user);
/* Trains the loss (what is called so, else the last expression) by all parameters of the model, from where the store says
 * that the training stands: parameters that it lacks take their initial values. Afterwards, and at each call of progress
 * with epoch_ended, the store holds all that is needed to go on to the same bits. CR_ENAN: the first loss that is not
 * finite; the error names step and node, and the parameters are those before that step. Allocates nothing in a step. */
CR_API cr_status cr_train_run(cr_train *t);
/* Does the store hold where a training stands, which cr_train_run goes on from? Weights alone don't. */
CR_API bool cr_train_begun(const cr_train *t);
/* The parameters of the best epoch take the place of the last ones. */
CR_API cr_status cr_train_take_best(cr_train *t);
/* Is it a parameter of the model itself, and nothing that the optimiser or the training keeps beside it in the store? Known
 * once cr_train_run was called. */
CR_API bool cr_train_owns(const cr_train *t, const char *name);
/* The metrics over all observations, in prediction, with the parameters of the store. */
CR_API cr_status cr_train_evaluate(cr_train *t);
/* The model's graph for a batch of the first observations, in prediction, with their values and the parameters of the store, those that it
 * lacks at their initial values: to be explained. The graph, the loss's, and e are freed by the caller, before data and store. */
CR_API cr_status cr_train_eval(cr_eval **e, cr_node *loss, cr_train *t);
/* What a node is for all observations, in prediction: rows in their order. To be freed by the caller. */
CR_API cr_status cr_train_predict(cr_array **out, cr_train *t, const char *name);
/* Bytes begun .. size-1 of text are drawn one after the other, by the seed, each from softmax(scores / temperature) (0: the
 * likeliest) after those before it. scores is a node [1, n, at most 256] of a model whose input is a window of a text
 * [1, window], n at most that: row k is about the byte behind byte k, and must not depend on later ones. */
CR_API cr_status cr_train_continue(cr_train *t, const char *input, const char *scores, int64_t window,
                                   double temperature, void *text, size_t begun, size_t size);
/* Metrics: the loss, then every fraction of rank 0 that the model names; NULL past the end. Their means over the present
 * epoch's training so far, and over the validation (or evaluation), each batch weighted by its observations. */
CR_API const char *cr_train_metric(const cr_train *t, int i, double *training, double *validation);
/* Of the last step alone: a metric; with the option "gradients", the Euclidean norm of the loss's gradient by the i-th trained
 * parameter, before it is clipped (gives the parameter's name; NULL past the end), and the rate of descent; nan: not finite. */
CR_API double cr_train_last(const cr_train *t, int i);
CR_API const char *cr_train_gradient(const cr_train *t, int i, double *norm);
CR_API double cr_train_rate(const cr_train *t);
CR_API int64_t cr_train_epoch(const cr_train *t);      /* epochs done */
CR_API int64_t cr_train_epochs(const cr_train *t);     /* wanted */
CR_API int64_t cr_train_best_epoch(const cr_train *t); /* from 1; 0: none yet */
CR_API int64_t cr_train_step(const cr_train *t);       /* steps done */
CR_API int64_t cr_train_position(const cr_train *t);   /* observations of the present epoch done */
CR_API int64_t cr_train_observations(const cr_train *t, bool validation); /* that train, or validate */
CR_API const char *cr_train_way(
    const cr_train *t); /* how its loops are run, once it has begun: cr_program_way */
CR_API const char *cr_train_reason(const cr_train *t); /* why it ended */
CR_API const char *cr_train_error(const cr_train *t);  /* the sentence of a failure, or NULL */

/* ---- Plots
 * ----------------------------------------------------------------------------------------------------------
 */

typedef struct cr_plot cr_plot;
CR_API cr_status cr_plot_new(cr_plot **out, cr_context *ctx);
CR_API void cr_plot_free(cr_plot *p);
CR_API cr_status cr_plot_labels(cr_plot *p, const char *title, const char *x, const char *y);
/* n points, copied; those that are not finite are left out. line: joined in their order. */
CR_API cr_status cr_plot_add(cr_plot *p, const char *label, bool line, int64_t n, const double x[],
                             const double y[]);
/* The area between low and high. */
CR_API cr_status cr_plot_band(cr_plot *p, const char *label, int64_t n, const double x[], const double low[],
                              const double high[]);
/* What is added from now on stands in a lower panel of its own, over the same x; at most four panels. */
CR_API cr_status cr_plot_panel(cr_plot *p, const char *y);
/* y of the present panel is on a logarithmic axis, and only what is positive is shown. */
CR_API cr_status cr_plot_log(cr_plot *p);
/* The width, and the height with one panel, instead of 800 and 500: at least 220 each. */
CR_API cr_status cr_plot_size(cr_plot *p, int width, int height);
/* 800 wide, 500 high with one panel and 150 more for each other, self-contained; the same input gives the same bytes. */
CR_API cr_status cr_plot_svg(cr_text *out, const cr_plot *p);

/* ---- Report: a training as a page -----------------------------------------------------------------------
 */

typedef struct cr_report cr_report;
/* title: what is trained; command: how to do it again, as it is shown. The memory of a report does not grow with steps and epochs:
 * of neighbouring steps mean, least and greatest number are kept. */
CR_API cr_status cr_report_new(cr_report **out, const char *title, const char *command, cr_context *ctx);
CR_API void cr_report_free(cr_report *r);
/* From the progress of a training with the option "gradients" (cr_train_progress): after each step, with the seconds that it took; after
 * each epoch, with those since the training began. */
CR_API cr_status cr_report_step(cr_report *r, const cr_train *t, double seconds);
CR_API cr_status cr_report_epoch(cr_report *r, const cr_train *t, double seconds);
/* The page (HTML), which needs nothing else and no script: metrics by step and epoch, rate, norms of gradients, time per step. ending: why
 * the training ended; NULL: it goes on, and a browser is told to look again every other second. Deterministic but for the times:
 * what is in <time>, and the picture of class "times". */
CR_API cr_status cr_report_page(cr_text *out, const cr_report *r, const cr_train *t, double seconds,
                                const char *ending);

/* ---- Explain: how each gradient came about ---------------------------------------------------------- */

/* The four steps for result (one number) and its gradients by wrt: every node's value; local gradients as
 * formula and number, with a partial derivative's sign (U+2202 in UTF-8); cotangents, with a d, as the products that the
 * chain rule makes; one step of descent at this rate.
 *   format  "text", "json" (docs/explain.schema.json), "latex" (a document), "dot": for a picture, give it to
 *           Graphviz (dot -Tsvg), which lays it out; the library itself starts no program
 *   full    all numbers of a tensor, every node of a scope; else shape and summary, and in graphs of more than
 *           48 nodes scopes as one
 *   n = 0   without gradients; then e may be NULL: the graph alone */
CR_API cr_status cr_explain(cr_text *out, const char *format, cr_eval *e, cr_node result, int n,
                            const cr_node wrt[], double rate, bool full);

/* The same as a page (HTML) that needs nothing else: the graph, the steps one by one, and numbers that can be
 * changed. First its pictures as "layout" from cr_explain, with the same result, wrt and rate and without full;
 * Graphviz lays them out (dot -Tplain); layout is what it says. title is shown as it is.
 * Deterministic: the same inputs give the same bytes. CR_EFORMAT: layout is not of this graph. */
CR_API cr_status cr_explain_page(cr_text *out, const char *title, const char *layout, cr_eval *e,
                                 cr_node result, int n, const cr_node wrt[], double rate);

/* The gradients of result (one number) by wrt at the values of e, op by op and as a whole, against extrapolated
 * differences and against the other mode, in double precision; of large tensors some elements and directions. Then
 * the same of the gradient along a direction: second derivatives. The report in out names op, node and operand of what
 * is wrong, and what lies at a kink and cannot be told.
 * CR_EFAIL if anything is wrong: |difference| > atol + rtol * |value|. stop_gradient holds its value. */
CR_API cr_status cr_check(cr_text *out, cr_eval *e, cr_node result, int n, const cr_node wrt[], double rtol,
                          double atol);

/* How many digits of result, and of its gradients by wrt (n may be 0), rounding leaves at the values of e: a line for each, as
 *     loss: 13 of 16 digits; 2.1 lost at s = y_hat - y (cancellation)
 * from a bound to first order, the sum over all nodes of |cotangent x value| x what the node rounds by. Named are the nodes on
 * the way of the largest error that make relative errors at least three times larger; of tensors the worst of 16 elements counts. format "text", or "json"
 * (an array of objects). stop_gradient holds nothing here: errors pass it. */
CR_API cr_status cr_digits(cr_text *out, const char *format, cr_eval *e, cr_node result, int n,
                           const cr_node wrt[]);
/* That bound, for one element (row-major) of y, which may be a gradient: |what e computes - what exact arithmetic gives|. */
CR_API cr_status cr_rounding_bound(double *bound, cr_eval *e, cr_node y, int64_t element);

/* ---- Files: why takes the sentence when one cannot be read, in place of what it held (may be NULL)
 * ------------------------------------ */

CR_API cr_status cr_npy_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why);
CR_API cr_status cr_npy_save(const char *path, const cr_array *a, cr_text *why); /* whole or not at all */

/* IDX, the format of MNIST and Fashion-MNIST, packed by gzip or not: bytes and shorts become i32. */
CR_API cr_status cr_idx_load(cr_array **out, const char *path, cr_context *ctx, cr_text *why);

/* safetensors. Every tensor of the file is set in the store: what is there already keeps dtype and size, or all stays as
 * it was. And a store as a file, whole or not at all: choose gives the name that a tensor has in the file, or NULL to leave
 * it out; without one (NULL) all are saved as they are called. */
CR_API cr_status cr_store_load(cr_store *store, const char *path, cr_context *ctx, cr_text *why);
typedef const char *cr_store_choose_fn(void *user, const char *name);
CR_API cr_status cr_store_save(const char *path, const cr_store *store, cr_store_choose_fn *choose,
                               void *user, cr_context *ctx, cr_text *why);

/* Columns of numbers with names. A first row that is not all numbers is a header; without one: "c1", "c2" ...
 */
typedef struct cr_table cr_table;
CR_API cr_status cr_csv_load(cr_table **out, const char *path, cr_context *ctx, cr_text *why);
/* Columns of words instead of numbers: each word is a category and becomes its number, from 0. names: the categories in their order,
 * any other word is CR_EFORMAT; none (count 0): those found, in the order of their bytes, whole numbers by value. A file with such a column needs a header. */
typedef struct cr_categories {
    const char *column;
    int count;
    const char *const *names;
} cr_categories;
CR_API cr_status cr_csv_load_categories(cr_table **out, const char *path, int n, const cr_categories c[],
                                        cr_context *ctx, cr_text *why);
/* Category k of a column; NULL past the end, and of a column of numbers. */
CR_API const char *cr_table_category(const cr_table *t, int column, int64_t k);
CR_API void cr_table_free(cr_table *t);
CR_API int64_t cr_table_rows(const cr_table *t);
CR_API int cr_table_columns(const cr_table *t);
CR_API const char *cr_table_name(const cr_table *t, int column); /* NULL past the end */
CR_API const double *cr_table_column(const cr_table *t, int column);
CR_API int cr_table_find(const cr_table *t, const char *name); /* -1: none */

/* Data of any of these formats, known by what a file is: npy; npz (zip archives of npy files, by libzip); IDX, packed by gzip or not; CSV
 * (.csv, .tsv, .txt, .dat, packed too as .csv.gz, and whatever comes through a pipe); safetensors; a PNG image (by libpng: i32 [height, width], in colour [3, height, width]); a folder of PNG images of one
 * size: "images" [n, ...] in the order of their names, and "labels" [n] from FOLDER/LABEL/NAME.png, or from FOLDER/labels.csv with columns
 * file and label (numbers stay numbers). Labels that are words are categories. c: n columns of categories, of CSV; of a folder "labels". */
typedef struct cr_data cr_data;
CR_API cr_status cr_data_open(cr_data **out, const char *path, int n, const cr_categories c[],
                              cr_context *ctx, cr_text *why);
CR_API void cr_data_free(cr_data *d);
/* The arrays in it, the columns of a CSV file among them: the name of the i-th, "" where a file has but one and no name for it; NULL past
 * the end. -1: there is none of this name. */
CR_API const char *cr_data_name(const cr_data *d, int i);
CR_API int cr_data_find(const cr_data *d, const char *name);
/* Category k of array i; NULL past the end, and where the array's numbers are no categories. */
CR_API const char *cr_data_category(const cr_data *d, int i, int64_t k);
/* The i-th, to be freed by the caller; and the only one there is, or all columns of a CSV file side by side. Of a file of one array (a column, an
 * image ...), and of a folder, each is given away, and so are all columns side by side: at a second time, and of a column after
 * them, CR_EINVAL. */
CR_API cr_status cr_data_array(cr_array **out, cr_data *d, int i, cr_text *why);
CR_API cr_status cr_data_whole(cr_array **out, cr_data *d, cr_text *why);

/* Writes a file whole or not at all: into a neighbour, flushed, then renamed. */
CR_API cr_status cr_file_write(const char *path, const void *data, size_t size, cr_context *ctx,
                               cr_text *why);

#ifdef __cplusplus
}
#endif
#endif

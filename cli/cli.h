/* The program `chainrule`: what its verbs share. It stands on the public header alone. */
#ifndef CLI_H
#define CLI_H

#include <chainrule.h>

/* Exit codes. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };

/* A value given as name=value: a number, a list, or @FILE of data: @file.npy, @file.npz:x, @file.csv (one matrix of all its columns).
 * Numbers are f64; those of a file of integers or bools stay what they are. */
struct given {
    const char *name;
    size_t name_size;
    cr_array *array;
    bool optional; /* a column: passed over if the formula does not have the name */
    bool is_size;  /* bound to a named size */
    struct given *next;
};

/* An option with a value that is its verb's own business: --epochs 10. May be given more than once. */
struct option {
    const char *name, *value;
};
enum { most_options = 64 };

/* The command line of one verb. Options that a verb does not know are wrong use. */
struct arguments {
    int argc;
    char **argv;
    const char *formula; /* the formula or model file */
    const char *data;    /* a second operand that is no name=value */
    const char *wrt, *jvp, *hvp, *svg, *html, *method;
    const char *tolerance, *iterations;
    double rate; /* 0: not given */
    int order;   /* -1: not given */
    bool digits, json, dot, latex, full, jacobian, hessian, trap_nan, flush, manual, plan, stages, no_libm,
        quiet, absolute_sigma, profile, help;
    struct option option[most_options];
    int options;
    struct given *given;
};
/* The last value given to an option, or NULL. */
const char *option_value(const struct arguments *a, const char *name);

/* A model built, its values bound. */
struct session {
    cr_context *ctx;
    cr_text *text, *why;
    cr_model *model;
    cr_graph *graph;
    cr_store *store;
    cr_eval *eval;
    cr_node result;
    cr_node *wrt;
    int n;
    bool has_values; /* every input has one, and every parameter */
};

struct verb {
    const char *name, *operands, *help;
    const char *options;  /* the names of those it has, parted by blanks */
    const char *examples; /* lines to show */
    int (*run)(struct arguments *a);
};
extern const struct verb verbs[];

int run_explain(struct arguments *a);
int run_grad(struct arguments *a);
int run_diff(struct arguments *a);
int run_check(struct arguments *a);
int run_fit(struct arguments *a);
int run_train(struct arguments *a);
int run_eval(struct arguments *a);
int run_predict(struct arguments *a);
int run_info(struct arguments *a);
int run_draw(struct arguments *a);
int run_emit(struct arguments *a);
int run_ops(struct arguments *a);

/* Says what is wrong on standard error; gives the exit code. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
int fail(const char *format, ...);
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
int wrong_use(const char *format, ...);

/* options.c: reads argv[*i], and the value behind it; lists those of a verb for help. */
bool is_option(const struct verb *v, const char *s); /* of those the verb has, or so written */
int read_option(const struct verb *v, struct arguments *a, int *i);
void print_options(const struct verb *v);

/* values.c */
bool read_number(const char *s, double *x);
/* One whole number that is not negative, as a size is. */
bool whole_number(const cr_array *array, int64_t *n);
bool read_value(cr_array **out, const char *text, cr_text *why);
void free_given(struct given *g);
const struct given *find_given(const struct given *g, const char *name);

/* session.c: reads the formula or file, builds it with the values given, finds what to differentiate by. Where values are needed (or
 * any is given that is no named size), a name without one is an error; else it is a scalar. Says what is wrong itself. */
enum values { VALUES_NEEDED, VALUES_IF_GIVEN, NO_VALUES };
int session_open(struct session *s, const struct arguments *a, enum values values);
void session_close(struct session *s);
int session_failed(const struct session *s, const char *sentence);

const char *list_item(
    const char *list); /* of an option: the next of its items, which commas and blanks part */
int session_leaves(const struct session *s); /* inputs and parameters */
/* The derivative of the result by x; beyond the first order, where x is a tensor, of the sum of the elements before. */
cr_node session_derivative(const struct session *s, cr_node x, int order);
int order_of(const struct arguments *a); /* --order, or 1 */
/* What is printed is gathered in s->text first, so that a failure prints nothing. */
void session_add(struct session *s, const char *text);
/* The values of a matrix of this pattern. */
int session_add_sparse(struct session *s, const cr_pattern *p, cr_array *values, bool json);

bool ends_with(const char *s, const char *end);
/* Alike but for case, or for one slip in three letters or more: one too many, another, or two exchanged. */
bool is_near(const char *a, const char *b);

/* data.c: PATH, or PATH:NAME for one of several arrays, of any format that cr_data_open knows; --categories, where the verb has arguments
 * (else NULL), count. */
bool load_data(cr_array **out, const char *from, const struct arguments *a, cr_text *why);
void close_reading(void); /* when all data is closed */
bool open_data(cr_data **out, const char *path, const struct arguments *a, cr_text *why);
/* A number as JSON has it; nan and infinities as text. */
void append_number(cr_text *t, double x);

/* learn.c: a model with data, for train, eval and predict. */
struct learning {
    cr_context *ctx;
    cr_model *model;
    cr_store *store;
    cr_train *train;
    cr_text *text, *why;
    cr_array *array[64];
    int arrays;
    const char *weights;    /* the file that they came from, or NULL */
    int64_t window, stride; /* window 0: observations are rows */
    void *map[8];           /* files of text */
    size_t map_bytes[8];
    int maps;
    uint32_t *alphabet; /* of --characters: their code points, ascending; NULL: texts are bytes */
    int characters;
};
int learn_open(struct learning *l, const struct arguments *a);
void learn_close(struct learning *l);
int learn_failed(const struct learning *l);
int learn_weights(struct learning *l, const char *path);
/* Are all parameters of the model in the store, in their dtypes? path: the file that they came from. */
int check_weights(const cr_model *model, cr_store *store, const char *path);
/* A batch of the first observations as a session, which is to be closed before the learning; --weights count. */
int session_of_data(struct session *s, struct learning *l, const struct arguments *a);

/* sequence.c: windows of sequences and texts, and texts that go on. */
int set_windows(struct learning *l, const struct arguments *a);
bool is_text(const char *path);                     /* of no other kind that is read */
int map_text(struct learning *l, const char *path); /* as the last of l->map */
int add_text(struct learning *l, const char *input, const char *path);
void close_texts(struct learning *l);
int continue_text(struct learning *l, const struct arguments *a);

/* characters.c: texts as numbers of the characters that a file has. */
int read_alphabet(struct learning *l, const struct arguments *a);
int add_characters(struct learning *l, const char *input, const char *path, const void *text, size_t size);
/* A beginning as a byte for each character, which is room enough; and bytes as text, to be freed. */
bool begin_characters(const struct learning *l, const char *begin, char *to, size_t *begun);
char *characters_text(const struct learning *l, const char *number, size_t n, size_t *size);

/* picture.c: what Graphviz (dot FORMAT) makes of a source, ended by NUL, to be freed; NULL when it could not be run, which
 * it says. */
char *lay_out(const char *source, size_t size, const char *format, size_t *n);
int draw_dot(const char *dot, size_t size, const char *path); /* as SVG, to a file */
int write_text(const char *path, const char *s, size_t n);
int print_text(const cr_text *t);

#endif

/* A model while it is read and built. There is no tree: the text is read anew each time, and what it says is
 * done. A dry reading builds nothing: it finds mistakes of grammar, and names without a meaning. A building one
 * finds what depends on shapes, dtypes and sizes. */
#ifndef FORMULA_MODEL_H
#define FORMULA_MODEL_H

#include "formula/lex.h"
#include "ops/call.h"

/* What an expression is: a node, or what is known while reading: a number (a literal, a size), a list, a dtype,
 * the word `all`. In a dry reading it is OPEN, whatever it will be. */
enum value_kind {
    VALUE_NOTHING,
    VALUE_OPEN,
    VALUE_NUMBER,
    VALUE_BOOL,
    VALUE_NODE,
    VALUE_LIST,
    VALUE_DTYPE,
    VALUE_ALL,
    VALUE_FUNCTION /* its number in the reader's functions */
};

struct list;
struct value {
    enum value_kind kind;
    double number; /* of NUMBER and BOOL; of DTYPE its number */
    bool integer;
    cr_node node;
    struct list *list;
};
struct list {
    struct list *older; /* all lists of a reading, to be freed */
    int depth;          /* of the lists in it, itself included: at most CR_MAX_RANK */
    size_t n, cap;
    struct value *item;
};

/* ---- What a model keeps between readings ---- */

struct declared { /* by the caller */
    bool param;
    cr_dtype dtype;
    struct shape shape;
};

/* What an interned name means to the model. */
struct known {
    bool size, size_given; /* a named size; its number by cr_model_size, which stays */
    int64_t number;        /* -1: open */
    uint32_t source;       /* the input that showed the number */
    uint32_t declared;     /* 0: not; else its place in `declared`, from 1 */
};

/* An axis whose size is but a name, of an input or parameter of the text: data shows what the name stands for. */
struct axis_name {
    uint32_t leaf, size;
    int axis;
};

/* What an input or parameter of the text is declared as: known after the dry reading. */
struct leaf {
    uint32_t text;
    bool param;
    cr_dtype dtype;
    int rank;
};

struct cr_model {
    struct mem mem;
    char *text;
    size_t text_size, text_room;
    char *file; /* or NULL */
    size_t file_room;
    struct intern names;
    struct known *known; /* by interned name */
    size_t known_n, known_cap;
    struct declared *declared;
    size_t declared_n, declared_cap;
    struct axis_name *axis;
    size_t axes, axis_cap;
    uint32_t *free_name; /* used but not declared */
    size_t free_n, free_cap;
    struct leaf *leaf;
    size_t leaves, leaf_cap;
    bool training;            /* not prediction: noise is drawn */
    struct cr_text optimiser; /* "adam(rate=0.001)"; empty: the text names none */
    int optimiser_line;
};
struct known *model_known(cr_model *m, uint32_t text); /* NULL: out of memory */

/* ---- What a reading keeps ---- */

struct name {
    uint32_t text, hides; /* the place of the one it hides, from 1 */
    struct value value;
    struct token at;
    bool layer; /* made by a layer: has parameters */
    bool free;  /* used before anything bound it */
};

/* A function: where its text starts, read again at each call. */
struct function {
    uint32_t text, hides, place; /* place: how many functions were defined before it */
    struct token name;
    struct lexer body; /* behind the name, at the '(' of its parameters */
    bool layer;        /* contains `param` */
    const char *file;
    const struct lexer *source;
};

/* One that every model knows. Its text is not read before it is called. */
struct prelude {
    bool layer;
    const char *text; /* "fn name(..." */
};
enum { prelude_functions = 14 };

/* A value with the words it stands at: an operand, an argument, an element, a part of an index. */
struct operand {
    struct value value;
    struct token at;  /* its first word */
    struct token key; /* of an argument: the attribute's name; n = 0: none */
    uint8_t part;     /* of an index: 0 the index or a start, 1 a stop, 2 a step */
};

/* An operator that waits for its right operand, or a bracket for its end. */
enum pending_kind { PENDING_INFIX, PENDING_PREFIX, PENDING_GROUP, PENDING_LIST, PENDING_CALL, PENDING_INDEX };
struct pending {
    uint8_t kind, level, part;
    struct token word; /* the operator, the bracket, the function's name */
    struct token key;  /* of a call: the attribute whose value is being read */
    size_t first;      /* of a bracket: where its operands start */
};

enum {
    most_depth = 10000, /* of brackets, and powers of powers */
    most_calls = 16,    /* of functions that call functions */
    most_words =
        1 << 22 /* read beyond the text itself: functions that call functions that ... expand so far */
};

/* Where reading stands and what is seen from there. A call goes elsewhere and comes back. */
struct place {
    struct lexer lexer;
    struct token token;         /* the next word */
    const struct lexer *source; /* the text that messages show a line of */
    const char *file;
    size_t frame;       /* the first name of the function that is being called */
    size_t visible;     /* functions defined before it: those it may call */
    struct token bound; /* the name that the statement binds, the scope of a layer; n = 0: none */
    size_t alone;       /* what was pending when the statement's expression began */
    uint32_t like;      /* scope, in the graph's text, whose parameters a layer shares; 0: its own */
    uint32_t draws;     /* so far in this scope */
    int calls;
};

enum { most_keywords = 8, longest_keyword = 32 };

/* Of the op that is being called; here, and not in the frames of calls that call. */
struct attributes {
    int n;
    cr_attr attr[most_keywords];
    char name[most_keywords][longest_keyword];
    double number[most_keywords][CR_MAX_RANK];
};

struct reader {
    cr_model *m; /* NULL: one expression over a graph */
    cr_graph *g; /* NULL: a dry reading */
    struct mem mem;
    struct intern *names, own_names;
    cr_text *why;
    cr_status status;
    struct place place;
    struct lexer prelude[prelude_functions], text; /* from their start: what messages show a line of */
    size_t words;                                  /* still allowed */
    struct operand *operand;
    size_t operands, operand_cap;
    struct pending *pending;
    size_t pendings, pending_cap;
    struct name *name;
    size_t name_n, name_cap;
    struct function *function;
    size_t function_n, function_cap;
    uint32_t *name_of, *function_of; /* by interned name: the newest, from 1 */
    size_t name_of_cap, function_of_cap;
    struct list *lists;
    struct attributes attributes;
    bool declares;   /* the text has an input or a parameter */
    bool in_size;    /* in the brackets of a type */
    bool made_layer; /* the last call was of a layer */
    bool has_hint;   /* the parameter whose initial value is being read */
    struct shape hint;
    cr_dtype hint_dtype;
    uint32_t hint_key;
};

/* read.c: words, mistakes, memory. */
bool reader_open(struct reader *r, cr_model *m, cr_graph *g, const struct mem *mem, cr_text *why);
void reader_free(struct reader *r);
void reader_advance(struct reader *r);
bool reader_is(const struct reader *r, const char *s);
bool reader_take(struct reader *r, const char *s);
bool reader_expect(struct reader *r, const char *s, const char *where);
/* Is the word after the next one this? */
bool reader_then(const struct reader *r, const char *s);
bool reader_then_name(const struct reader *r);
/* Records the first mistake. Gives nothing. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
struct value
reader_fail(struct reader *r, cr_status status, const struct token *at, const char *format, ...);
struct value reader_unexpected(struct reader *r, const char *expected);
struct value reader_no_memory(struct reader *r);
/* Errors of builders come with this position. */
void reader_at(struct reader *r, const struct token *at);
struct list *reader_list(struct reader *r);
bool list_add(struct reader *r, struct list *l, struct value v);

/* value.c: what is known while reading, and nodes of it. */
struct value number_value(double x, bool integer);
struct value open_value(void);
/* A node as a value; what the graph has against it is the mistake. */
struct value node_value(struct reader *r, cr_node x, const struct token *at);
/* Nodes as a list. */
struct value node_list(struct reader *r, size_t n, const cr_node x[]);
/* A value as a node: numbers become literals, lists constants or stacks. */
cr_node value_node(struct reader *r, struct value v, const struct token *at);
struct value value_binary(struct reader *r, const struct token *op, struct value a, struct value b);
struct value value_prefix(struct reader *r, const struct token *op, struct value a);
/* pi, inf, nan, true, false, dtypes. */
bool value_of_word(const struct token *t, struct value *v);
bool reserved_word(const struct token *t);

/* expression.c */
struct value read_expression(struct reader *r);

/* What stands in a bracket, on the reader's stack: operands first, then attributes. */
struct arguments {
    size_t first;
    int n, keywords;
};
static inline struct operand *argument(const struct reader *r, const struct arguments *a, int i) {
    return &r->operand[a->first + (size_t)i];
}

/* call.c: name(arguments), behind the ')'. */
struct value read_call(struct reader *r, const struct token *name, const struct arguments *a);
/* derivative.c: grad, jvp, vjp, variable, size, dtype. */
bool own_word(const struct token *name);
const char *own_word_name(size_t i); /* NULL past the end */
struct value read_own_word(struct reader *r, const struct token *name, const struct arguments *a);
/* control.c: scan, map, while, cond, checkpoint, implicit, whose first arguments are functions. */
const char *control_word(const struct reader *r, const struct token *name); /* NULL: none of these */
const char *control_word_name(size_t i);                                    /* NULL past the end */
struct value read_control(struct reader *r, const struct token *name, const struct arguments *a);
/* function.c: functions of the user and of the prelude. */
struct value call_function(struct reader *r, const struct function *f, const struct token *name,
                           const struct arguments *a);
struct token parameter_name(const struct function *f, int i); /* n = 0: it has fewer */
void read_function(struct reader *r);
/* Those of the prelude, as if they had been defined. */
void know_prelude(struct reader *r);
const struct function *find_function(const struct reader *r, const struct token *t);
/* index.c: x[parts], behind the ']'. The parts are the operands from `first` on. */
struct value read_index(struct reader *r, struct value x, size_t first, const struct token *at);

/* name.c */
struct name *find_bound(const struct reader *r, const struct token *t);
struct value find_name(struct reader *r, const struct token *t);
bool add_name(struct reader *r, const struct token *t, struct value v);
/* May t be bound here? Else it is a mistake. */
bool check_new_name(struct reader *r, const struct token *t);
void drop_names(struct reader *r, size_t from);
uint32_t intern_token(struct reader *r, const struct token *t);
/* In a text with declarations, every name is to be declared. */
void check_free_names(struct reader *r);
/* Grows an array of places by interned name. */
uint32_t *place_of(struct reader *r, uint32_t **array, size_t *cap, uint32_t text);

/* size.c: types and named sizes in declarations. */
bool read_type(struct reader *r, const struct token *leaf, const struct declared *given, cr_dtype *dtype,
               struct shape *s);
void sizes_from_data(cr_model *m);

/* prelude.c */
extern const struct prelude formula_prelude[prelude_functions];

/* declaration.c: behind "input" or "param". */
void read_declaration(struct reader *r, bool param);
/* At "update" with a name behind it. */
void read_update(struct reader *r);
/* optimiser name(option=value, ..): kept as text, which minimising reads. */
void read_optimiser(struct reader *r);
/* statement.c */
struct value read_statements(struct reader *r, const char *end);

#endif

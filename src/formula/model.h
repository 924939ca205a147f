/* A model while it is read and built. There is no tree: the text is read anew each time, and what it says is
 * done. A dry reading builds nothing, and finds mistakes of grammar and names without a meaning. */
#ifndef FORMULA_MODEL_H
#define FORMULA_MODEL_H

#include "formula/lex.h"
#include "ops/call.h"

/* What an expression is: a node, a number known while reading (a literal, a size), or a list. */
enum value_kind { VALUE_NOTHING, VALUE_NUMBER, VALUE_BOOL, VALUE_NODE, VALUE_LIST, VALUE_DTYPE };

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
    size_t n, cap;
    struct value *item;
};

struct name {
    const char *s;
    size_t n;
    struct value value;
};

/* A function: where its text starts, read again at each call. */
struct function {
    const char *s; /* name */
    size_t n;
    struct lexer body; /* behind the name, at the '(' of its parameters */
    bool layer;        /* contains `param` */
    const char *file;
    const struct lexer *source;
};

struct size {
    uint32_t text;
    int64_t size; /* -1: open */
    bool given;   /* by the caller; else shown by data, anew at each building */
};

/* What an input or parameter is declared as: known after the dry reading. */
struct leaf {
    uint32_t text;
    bool param;
    cr_dtype dtype;
    int rank;
};

struct declared {
    uint32_t text;
    bool param;
    cr_dtype dtype;
    struct shape shape;
    bool free; /* used but not declared in the text */
};

struct cr_model {
    struct mem mem;
    char *text;
    size_t text_size, text_room;
    char *file; /* or NULL */
    size_t file_room;
    struct intern names;
    struct size *size;
    size_t sizes, size_cap;
    struct declared *declared;
    size_t declared_n, declared_cap;
    uint32_t *free_name;
    size_t free_n, free_cap;
    struct leaf *leaf;
    size_t leaves, leaf_cap;
    bool training;
};

enum { most_depth = 64 }; /* of brackets, calls, and powers of powers */

struct reader {
    cr_model *m; /* NULL: one expression over a graph */
    cr_graph *g; /* NULL: a dry reading */
    struct mem mem;
    struct lexer lexer;
    struct token token, last; /* the next one, and the one before it */
    const char *file;
    cr_text *why;
    cr_status status;
    int depth;
    struct name *name;
    size_t names, name_cap;
    size_t frame; /* the first name of the function that is being called */
    struct function *function;
    size_t functions, function_cap;
    struct list *lists;
    bool in_function, layer_allowed;
    const char *bound; /* the name that the statement binds: the scope of a layer */
    size_t bound_n;
    const char *like; /* whose parameters a layer shares */
    size_t like_n;
    bool has_hint; /* the parameter whose initial value is being read */
    struct shape hint;
    cr_dtype hint_dtype;
    uint32_t hint_key;
    uint32_t draws;
    const struct lexer *source; /* the text that messages show a line of */
};

/* read.c: the reader itself. */
void reader_advance(struct reader *r);
bool reader_is(const struct reader *r, const char *s);
bool reader_take(struct reader *r, const char *s);
bool reader_expect(struct reader *r, const char *s, const char *where);
/* Records the first mistake. Gives nothing. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
struct value
reader_fail(struct reader *r, cr_status status, const struct token *at, const char *format, ...);
struct value reader_unexpected(struct reader *r, const char *expected);
void reader_free(struct reader *r);
struct list *reader_list(struct reader *r);
bool list_add(struct reader *r, struct list *l, struct value v);

/* expression.c */
struct value read_expression(struct reader *r);
/* A value as a node: numbers become literals, lists constants or stacks. */
cr_node value_node(struct reader *r, struct value v, const struct token *at);
struct value node_value(struct reader *r, cr_node x, const struct token *at);
struct value number_value(double x, bool integer);
/* Applies an op at a position: errors of the builder come with it. */
void reader_at(struct reader *r, const struct token *at);

/* call.c */
struct value read_call(struct reader *r, const struct token *name);
/* index.c */
struct value read_index(struct reader *r, struct value x, const struct token *at);

/* statement.c */
struct value read_statements(struct reader *r, const char *end);
struct value find_name(struct reader *r, const struct token *t);
bool add_name(struct reader *r, const struct token *t, struct value v);
struct function *find_function(struct reader *r, const struct token *t);

#endif

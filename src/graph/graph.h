/* The graph: an append-only list of nodes in topological order. Equal nodes are one node. Node 0 is the error
 * node. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/intern.h"
#include "base/mem.h"
#include "base/text.h"
#include "graph/op.h"
#include "tensor/shape.h"

enum { node_inline = 3 }; /* operands kept in the node itself; more stand in the graph's pool */

struct node {
    uint16_t op;
    uint8_t dtype;
    uint8_t weak;   /* a literal, or made of literals alone: takes the float dtype of what it meets */
    uint32_t shape; /* interned int64_t sizes */
    uint32_t attr;  /* interned int64_t attributes */
    uint32_t n;     /* operands */
    uint32_t arg[node_inline]; /* ids; if n > node_inline, arg[0] is where they start in the pool */
    uint32_t epoch;            /* of the graph when the node was built: tells stale handles */
    uint32_t note;             /* its newest note; 0: none */
    uint32_t user;             /* the newest of those nodes whose newest operand this is; 0: none */
    uint32_t next;             /* the next older one beside this; 0: none */
};

enum note_kind { NOTE_NAME, NOTE_POSITION, NOTE_INIT, NOTE_UPDATE, NOTE_PATTERN };

struct note {
    uint32_t node, next; /* next older note of the same node */
    uint32_t text; /* interned name, or file; of NOTE_INIT and NOTE_UPDATE the id of the value, whose epoch
                    is in line; of NOTE_PATTERN the pattern's number among the attributes */
    int32_t line, column;
    uint8_t kind;      /* enum note_kind */
    uint8_t positions; /* of the node, up to this note */
};

/* Where a node was written first: one written a thousand times costs no more. */
enum { most_positions = 8 };

/* Whose a name is: the epoch tells a node from one built later under its id. */
struct named {
    uint32_t id, epoch;
};

/* Functions that were asked for before, by the question (graph/function.h). */
struct derivations {
    struct derived *entry;
    size_t n, cap;
};

enum { page_bits = 10, page_nodes = 1 << page_bits };
/* The pages of the block of memory that is allocated when there are so many already. */
size_t graph_block(size_t pages);

struct cr_graph {
    struct mem mem;
    cr_context *ctx;
    struct node **page;
    size_t pages, page_cap;
    uint32_t count; /* nodes */
    uint32_t epoch;
    struct hash_table crowd; /* leaves, and nodes that found the list of their newest operand full */
    uint32_t *pool;          /* operands of nodes that have more than three */
    size_t pool_n, pool_cap;
    struct intern text, shape, attr;
    struct note *note;
    size_t note_n, note_cap;
    struct named *named; /* by interned name: the node */
    size_t named_cap;
    uint32_t *leaf; /* inputs and parameters, in order */
    size_t leaf_n, leaf_cap;
    uint32_t *control; /* nodes that hold functions */
    size_t control_n, control_cap;
    struct derivations chosen; /* made of two functions for nodes of this graph */
    int64_t unique;            /* the number of the next variable */
    cr_dtype default_float;
    uint32_t file; /* the position that new nodes are noted with */
    int32_t line, column;
    uint32_t scope; /* interned "outer.inner." */
    bool either;    /* a*b serves where b*a is asked for: in derivatives, whose order nobody chose */
    uint32_t draws; /* random draws so far in the present scope (the formula derives keys from it) */
    cr_status status;
    struct cr_text error;
};

static inline struct node *graph_at(const cr_graph *g, uint32_t id) {
    return &g->page[id >> page_bits][id & (page_nodes - 1)];
}
static inline const uint32_t *graph_args(const cr_graph *g, const struct node *n) {
    return n->n <= node_inline ? n->arg : g->pool + n->arg[0];
}
static inline int graph_rank(const cr_graph *g, const struct node *n) {
    return (int)(intern_size(&g->shape, n->shape) / sizeof(int64_t));
}
static inline const int64_t *graph_dims(const cr_graph *g, const struct node *n) {
    return intern_bytes(&g->shape, n->shape);
}
static inline const int64_t *graph_attr(const cr_graph *g, const struct node *n) {
    return intern_bytes(&g->attr, n->attr);
}
static inline size_t graph_attr_count(const cr_graph *g, const struct node *n) {
    return intern_size(&g->attr, n->attr) / sizeof(int64_t);
}
static inline const char *graph_text(const cr_graph *g, uint32_t text) {
    return intern_bytes(&g->text, text);
}
int64_t graph_elements(const cr_graph *g, const struct node *n);
struct shape graph_shape(const cr_graph *g, const struct node *n);

/* The node of a handle, or NULL when it is an error node, stale, or of no graph. Nodes never move. */
static inline const struct node *graph_get(cr_node x) {
    if (!x.graph || x.id == 0 || x.id >= x.graph->count) return NULL;
    const struct node *n = graph_at(x.graph, x.id);
    return n->epoch == x.epoch ? n : NULL;
}
static inline cr_node graph_handle(cr_graph *g, uint32_t id) {
    return (cr_node){g, id, g && id ? graph_at(g, id)->epoch : 0};
}
static inline cr_node graph_error_node(cr_graph *g) { return (cr_node){g, 0, 0}; }

/* What the next node is the first to have is its own, and goes with it when it is cut. */
static inline uint32_t graph_owned(const cr_graph *g, struct intern *in, size_t before, uint32_t i) {
    if (in->n > before) in->entry[before].owner = g->count;
    return i;
}

/* The number of a shape: equal shapes have equal numbers. intern_none: no memory, which graph_make tells. */
static inline uint32_t graph_shape_number(cr_graph *g, int rank, const int64_t dims[]) {
    size_t before = g->shape.n;
    return graph_owned(g, &g->shape, before, intern_put(&g->shape, dims, (size_t)rank * sizeof *dims));
}

/* Everything that makes a node. Attributes are copied and interned. */
struct make {
    int op;
    cr_dtype dtype;
    bool weak;
    uint32_t shape;
    size_t n_attr;
    const int64_t *attr;
    const cr_graph *attr_of; /* not NULL: the attributes are those with the number attr_id there */
    uint32_t attr_id;
    uint32_t n;
    const cr_node *x;
    bool anew; /* appended, also where there is an equal one */
};
/* The node, found or appended. Operands must be good nodes of g. An error node when out of memory or ids. */
cr_node graph_make(cr_graph *g, const struct make *m);

/* Appends node 0, the error node. False: out of memory. */
bool graph_begin(cr_graph *g);

/* Takes the newest node away; its ids serve again under the next epoch. */
void graph_drop_last(cr_graph *g);

/* Records the first error: "file:line:col: op: sentence". Gives the error node. op may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
cr_node
graph_fail(cr_graph *g, cr_status status, const char *op, const char *format, ...);

/* Notes. A leaf's or a named node's name is unique while its node lives. */
bool graph_note(cr_graph *g, uint32_t id, enum note_kind kind, uint32_t text, int32_t line, int32_t column);
uint32_t graph_scoped(cr_graph *g,
                      const char *name); /* interned with the scope before it; intern_none: no memory */
uint32_t graph_named(const cr_graph *g, uint32_t text); /* the node of an interned name; 0: none */
const struct note *graph_find_note(const cr_graph *g, uint32_t id,
                                   enum note_kind kind); /* the oldest of its kind */
/* Where a sparse matrix has its entries, as cr_pattern has it; among a graph's attributes in one piece. */
struct graph_pattern {
    int64_t rows, columns, colours;
    const int64_t *start, *column;
};
/* Notes beside the newest node that it holds the entries of such a matrix. False: out of memory. */
bool graph_note_pattern(cr_graph *g, const struct graph_pattern *p);
/* The number of the pattern noted beside a node, 0: none; and the pattern of a number. */
uint32_t graph_find_pattern(const cr_graph *g, uint32_t id);
struct graph_pattern graph_pattern(const cr_graph *g, uint32_t number);
/* The value noted beside a parameter, NOTE_INIT or NOTE_UPDATE: the last one given that was not cut; else an error node. */
cr_node graph_noted(cr_graph *g, uint32_t id, enum note_kind kind);

#endif

/* Writing a graph, or a function's, as statements of the formula language. */
#ifndef FORMULA_WRITE_H
#define FORMULA_WRITE_H

#include "base/intern.h"
#include "formula/print.h"
#include "graph/function.h"

/* Functions that have a name in the text, and what of it is theirs: of equal text they are one. */
struct written_function {
    const cr_function *f;
    size_t number;       /* f1, f2 .. */
    struct cr_text text; /* behind the name */
};
struct written {
    struct written_function *function;
    size_t n, cap, names;
};

/* One graph: of a model, or of a function. */
struct writer {
    cr_graph *g;
    cr_text *out;
    cr_graph *top;  /* of the model: what cannot be written is told to it */
    cr_text *model; /* where functions are written */
    struct written *functions;
    cr_status status;
    uint32_t *uses;  /* by id: operands that need it; 0: not written */
    uint32_t *depth; /* by id: of the expression that it is written as */
    uint32_t *label; /* by id: its name in `names`; 0: none (yet) */
    uint32_t *kept;  /* by id: of a loop, whether what it kept is used, or how many steps there were */
    uint32_t count, next;
    bool inside; /* a function: names of its nodes are not written */
    struct intern names;
    uint32_t *note; /* of names, of the node being written */
    size_t note_cap;
};

/* writer_close after either. False: out of memory. */
bool writer_open(struct writer *w, cr_graph *g, cr_text *out);
void writer_close(struct writer *w);
/* Uses of all that the roots, marked by a use, are made of. */
void write_mark(struct writer *w);
void write_statements(struct writer *w);
void write_value(struct writer *w, cr_node x);
/* A name for node id; 0 with the status set: out of memory. */
uint32_t write_keep(struct writer *w, const char *s, size_t n);

/* write_function.c: the functions that nodes of the graph run, each once, those that it runs before it. */
void write_functions(struct writer *w);
void written_drop(struct written *l, const struct mem *mem);
/* What a control node does, as it is called: "scan(f1, [h], x, k2=c)". */
void write_control(struct writer *w, uint32_t id);
/* Is this one of the results of a control node? Then of how many that are seen in the text; else 0. */
int write_results_of(const struct writer *w, uint32_t part);

#endif

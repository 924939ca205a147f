/* What the two printers, of text and of LaTeX, share: a stack of what is still to be written instead of
 * recursion, and which operands a reader of the formula takes for granted. */
#ifndef FORMULA_WALK_H
#define FORMULA_WALK_H

#include "formula/print.h"

/* How tightly a formula binds, loose to tight. */
enum level {
    LEVEL_ANY,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARE,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_MINUS,
    LEVEL_POWER,
    LEVEL_ATOM
};

/* A binary operator: its level, and the least level that its operands need to stand without parentheses. */
struct infix {
    int op;
    enum level own, left, right;
    const char *text, *latex;
};
const struct infix *walk_infix(int op); /* NULL: none */

/* What dtype a reader gives a literal that stands here. */
enum setting {
    SETTING_NONE,    /* none: it stays a literal */
    SETTING_DEFAULT, /* the default float */
    SETTING_TYPED    /* that of the operands beside it */
};

struct walk;
struct walk_style {
    void (*node)(struct walk *w, uint32_t id, enum level least,
                 enum setting setting);        /* puts what the node consists of */
    void (*tail)(struct walk *w, uint32_t id); /* writes what follows its operands: attributes, brackets */
    void (*name)(struct walk *w, const char *name);
    void (*word)(struct walk *w, const char *op); /* writes the name of an op */
};

struct walk {
    struct cr_text *out;
    cr_graph *g;
    const struct print_labels *labels;
    const struct walk_style *style;
    bool exact;        /* to be read again */
    struct item *item; /* what is still to be written: the last comes first */
    size_t n, cap;
};

void walk_run(struct walk *w, cr_node root, bool expand_root);

/* For a style's node(), in reading order. Text must outlive the walk. */
void walk_text(struct walk *w, const char *text);
void walk_word(struct walk *w, const char *op);
/* An operand, in parentheses unless it binds at least so tightly. */
void walk_operand(struct walk *w, uint32_t id, enum level least, enum setting setting);
/* Of an operand that has nothing beside it: exactly itself, or shown as bare digits. */
static inline enum setting walk_alone(const struct walk *w) {
    return w->exact ? SETTING_NONE : SETTING_DEFAULT;
}
void walk_tail(struct walk *w, uint32_t id);

/* What the formula language writes behind the operands: ", axis=-1", "[1:3]", "^2", the digits of a constant.
 */
void walk_attributes(struct walk *w, uint32_t id);

/* The operands of a node without the casts and repetitions that building it again would insert. */
struct operands {
    uint32_t id[3];
    enum setting setting;
};
struct operands walk_operands(const struct walk *w, const struct node *n);
/* Operands of a product of vectors, or with rows folded, whose result was reshaped: true for reshape nodes
 * that cr_matmul makes. */
bool walk_matmul(const struct walk *w, const struct node *n, uint32_t operand[2]);
/* A reshape that only keeps the axes of a reduction as axes of size 1. */
bool walk_kept(const struct walk *w, const struct node *n);
/* A reshape that takes axes of a slice away, as x[1] does. */
bool walk_indexed(const struct walk *w, const struct node *n);
/* A permutation that exchanges the last two axes. */
bool walk_transpose(const cr_graph *g, const struct node *n);
/* A node of this op without a label. */
bool walk_plain(const struct walk *w, uint32_t id, int op);
/* A literal of rank 0. */
bool walk_scalar(const cr_graph *g, uint32_t id, double *value);
/* The number as its dtype writes it: shortest digits, true, false. */
void walk_number(struct cr_text *out, cr_dtype dtype, const void *data, int64_t i);

#endif

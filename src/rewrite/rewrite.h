/* Nodes built again in simpler form, by the rules of rules.def. New nodes are appended to the same graph. */
#ifndef REWRITE_REWRITE_H
#define REWRITE_REWRITE_H

#include "rewrite/pattern.h"

/* NONE: nothing. EXACT: what keeps every bit. ALL: whatever makes a formula simpler (rules.def says how
 * exact). DIGITS: only what keeps digits, through names too. */
enum rewrite_level { REWRITE_NONE, REWRITE_EXACT, REWRITE_ALL, REWRITE_DIGITS };

struct rewrite {
    cr_graph *g;
    uint32_t first; /* nodes before this one are taken as they are */
    enum rewrite_level level;
    bool
        to_run; /* for a program, which nobody reads: names are no boundaries, and what runs faster is simpler */
    int depth;    /* of replacements in replacements */
    int32_t line; /* of the position that new nodes would have been noted with */
};

/* rewrite_end after it. */
void rewrite_begin(struct rewrite *r, cr_graph *g, uint32_t first, enum rewrite_level level);
void rewrite_end(struct rewrite *r);

/* A node whose operands are already in simple form. The same dtype and shape. */
cr_node rewrite_node(struct rewrite *r, cr_node x);
/* All that x is made of, up to named nodes, variables, and nodes before `first`. */
cr_node rewrite_graph(struct rewrite *r, cr_node x);

/* ---- Among the files of this room ---- */

/* A number, also one repeated to a tensor. */
bool rewrite_literal(const struct rewrite *r, uint32_t id, double *value);
/* Does a person, or the caller, see this node as one thing? */
bool rewrite_opaque(const struct rewrite *r, uint32_t id);
/* y in the dtype and shape of x; x itself where that cannot be. */
cr_node rewrite_fit(const struct rewrite *r, cr_node y, cr_node x);
/* Each gives x where it has nothing to say. */
cr_node rewrite_rules(struct rewrite *r, cr_node x);
cr_node rewrite_fold(struct rewrite *r, cr_node x);
cr_node rewrite_views(struct rewrite *r, cr_node x);
cr_node rewrite_run(struct rewrite *r, cr_node x);
cr_node rewrite_join(const struct rewrite *r, cr_node x);
cr_node rewrite_collect(struct rewrite *r, cr_node x);
cr_node rewrite_digits(struct rewrite *r, cr_node x);

#endif

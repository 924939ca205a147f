/* What all ways of writing a loop as C share. */
#ifndef EMIT_NEST_H
#define EMIT_NEST_H

#include "emit/emit.h"

struct loop_of {
    struct emitter *e;
    const struct step *s;
    bool streamed[loop_most]; /* by node of the step: its numbers go past the caches */
    bool streams;             /* now: to NAME_out, by lane, and from there */
};

static inline uint32_t nest_node(const struct loop_of *l, uint32_t i) {
    return l->e->p->node[l->s->first + i];
}
static inline int nest_pass(const struct loop_of *l, uint32_t i) { return l->e->p->pass[l->s->first + i]; }
enum loop_role nest_role(const struct loop_of *l, uint32_t node);
/* Does this reduction fold each row to a number? */
bool nest_folds_lines(const struct loop_of *l, uint32_t node);

/* The axes of e->nest. */
void nest_make(const struct loop_of *l);
/* Is instruction i written in this pass: its own, or a later one that needs its number and rather computes it again? */
bool nest_in_pass(const struct loop_of *l, uint32_t i, int pass);
/* Rooms of a row for numbers that a later pass needs. */
size_t nest_rooms(const struct loop_of *l); /* their bytes */
void nest_declare_rows(struct loop_of *l);

/* The number of the row, or of the place in a row, in row-major order. */
struct expression nest_row(struct emitter *e);
struct expression nest_place(struct emitter *e);
/* "i - first_row * 3": an element of what has one for each row, in the present row. */
struct expression nest_narrow(struct emitter *e, uint32_t node);
/* const TYPE i = r / 3, ..: the indices of a row of this number. */
void nest_row_indices(struct emitter *e, const char *type, const char *row);
/* Loops over the step's rows, or those of the block at hand: where row_past is then so many columns as go up to the diagonal, if
 * the step stops there. Gives how many to close. */
int nest_open_rows(const struct loop_of *l);
/* Along a row. */
void nest_open_line(const struct loop_of *l);
void nest_open(struct emitter *e, int first, int end);
void nest_close(struct emitter *e, int first, int end);

/* At the start of a function or step: no node of the step, and nothing that it reads, has a number with a name. Then: the name of
 * the number that a node of the step has now. */
void nest_forget(struct loop_of *l);
const char *nest_local(struct emitter *e, uint32_t node);
const char *nest_make_local(struct emitter *e, uint32_t node);
/* Operand x of instruction i; what instruction i gives, kept where it belongs; the same of a value that is given. */
struct expression nest_operand(struct loop_of *l, uint32_t i, uint32_t x);
/* Is an operand one number for the whole row, in a name while the row is computed: that of which node? */
bool nest_is_of_row(const struct loop_of *l, uint32_t operand, uint32_t *named);
/* What instruction i reads of one number that repeats along the innermost axis, read before the loop over that; forget: it was. */
void nest_read_repeated(struct loop_of *l, uint32_t i, bool forget);
void nest_result(struct loop_of *l, uint32_t i, bool narrow);
void nest_keep(struct loop_of *l, uint32_t i, const char *value, bool narrow);

#endif

/* The cases of structural rows in tests/data/references.inc: T(rank, D(dims), numbers). */
#ifndef STRUCTURAL_H
#define STRUCTURAL_H

#include "test.h"
#include "ways.h"

#include "ops/build.h"

struct small {
    int rank;
    int64_t dims[4];
    double v[24];
};
struct structural {
    int op;
    const char *formula, *names;
    struct small x, y, result;
};
#define D(...) \
    { __VA_ARGS__ }
#define T(rank, dims, ...)          \
    {                               \
        rank, dims, { __VA_ARGS__ } \
    }
#define REFERENCE(...)
#define WIDE(...)
#define INTEGER(...)
#define FOLD(...)
#define CASE(op, formula, names, ...) {OP_##op, formula, names, __VA_ARGS__},
static const struct structural structurals[] = {
#include "../data/references.inc"
};
#undef REFERENCE
#undef WIDE
#undef INTEGER
#undef FOLD
#undef CASE
enum { structural_count = sizeof structurals / sizeof *structurals };

/* The operands of a case, as inputs. Those named i or k are integers. */
struct structural_inputs {
    int n;
    struct given in[2];
    double data[2][24];
    int64_t whole[2][24];
    char name[2][2];
};

static inline void structural_inputs(struct structural_inputs *s, const struct structural *c) {
    *s = (struct structural_inputs){.n = (int)strlen(c->names)};
    for (int k = 0; k < s->n; k++) {
        const struct small *t = k ? &c->y : &c->x;
        bool integer = strchr("ik", c->names[k]) != NULL;
        s->name[k][0] = c->names[k];
        for (int j = 0; j < 24; j++) {
            s->data[k][j] = t->v[j];
            s->whole[k][j] = integer ? (int64_t)t->v[j] : 0;
        }
        s->in[k] = (struct given){s->name[k],
                                  integer ? CR_I64 : CR_F64,
                                  t->rank,
                                  t->dims,
                                  integer ? (void *)s->whole[k] : s->data[k],
                                  NULL};
    }
}

#endif

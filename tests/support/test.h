/* What every test needs. */
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chainrule.h"
#include "support/alloc.h"

#define TEST(name) static void name(void **state)
#define RUN(name)  cmocka_unit_test(name)

/* A formula over scalars given as name, value, name, value ..., NULL: the graph, the evaluator, the result.
 */
struct fixture {
    cr_graph *g;
    cr_eval *e;
    cr_node y;
};
struct fixture fixture_of(const char *formula, ...);
void fixture_free(struct fixture *f);
/* The value of d^order y / d name^order. */
double derivative(struct fixture *f, const char *name, int order);
double derivative_forward(struct fixture *f, const char *name, int order);

/* n times CHECK_SCALE, which `make check-long` sets; a fourth of it under a sanitizer. */
int rounds(int n);
/* Under the address or thread sanitizer, which keeps what was freed, and is slow. */
extern const bool sanitized;

/* The sum of all of x. */
cr_node total(cr_node x);

/* |a - b| <= ulps units in the last place of the larger, or both nan. */
bool within_ulps(double a, double b, double ulps);
#define assert_ulps(a, b, ulps)                                                             \
    do {                                                                                    \
        double a_ = (a), b_ = (b);                                                          \
        if (!within_ulps(a_, b_, ulps)) fail_msg("%s = %.17g, expected %.17g", #a, a_, b_); \
    } while (0)
#define assert_near(a, b, tolerance)                                                             \
    do {                                                                                         \
        double a_ = (a), b_ = (b);                                                               \
        if (!(fabs(a_ - b_) <= (tolerance))) fail_msg("%s = %.17g, expected %.17g", #a, a_, b_); \
    } while (0)

#endif

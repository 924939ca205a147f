/* How every side compiles. */
#ifndef BENCH_COMPILE_H
#define BENCH_COMPILE_H

#include "chainrule.h"

/* The program of t, a target of g; both are freed. compiler: "0" for the built-in executor, or NULL. What failed is said on standard error. */
cr_status bench_compile(cr_program **out, cr_graph *g, cr_target *t, const char *compiler);

#endif

/* Programs that a test compiles in one of several ways. */
#ifndef COMPILED_H
#define COMPILED_H

#include "support/test.h"

/* Of the target, with this option set, if any: compiled loops are kept in the test's own directory (support/files.h). The target and the graph are freed. */
cr_program *compiled_with(cr_context *ctx, cr_graph *g, cr_target *t, const char *option, const char *value);

#endif

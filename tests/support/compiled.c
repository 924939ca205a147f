#include "support/compiled.h"

#include <string.h>

#include "support/files.h"

cr_program *compiled_with(cr_context *ctx, cr_graph *g, cr_target *t, const char *option, const char *value) {
    cr_program *p = NULL;
    cr_options *o = cr_options_new(ctx);
    if (option) assert_int_equal(cr_options_set(o, option, value), CR_OK);
    if (option && strcmp(option, "compile") == 0)
        assert_int_equal(cr_options_set(o, "cache", temp_path("cache")), CR_OK);
    if (cr_compile(&p, t, o)) fail_msg("%s", cr_graph_error(g));
    cr_options_free(o);
    cr_target_free(t);
    cr_graph_free(g);
    return p;
}

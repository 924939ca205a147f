/* A compiled program with its run. */
#include "train/function.h"

#include <string.h>

#include "graph/graph.h"
#include "run/program.h"

cr_status function_make(struct function *f, cr_target *t, cr_store *store) {
    cr_status status = t ? cr_compile(&f->program, t, NULL) : CR_ENOMEM;
    cr_target_free(t);
    return status ? status : cr_run_new(&f->run, f->program, store, NULL, 0);
}

void function_free(struct function *f) {
    cr_run_free(f->run);
    cr_program_free(f->program);
    *f = (struct function){0};
}

static bool has_leaf(const cr_program *p, const char *name) {
    for (size_t i = 0; i < p->leaves; i++)
        if (strcmp(graph_text(p->g, p->leaf[i].text), name) == 0) return true;
    return false;
}

/* Asked beforehand, since a run remembers a name that it does not know as an error. */
cr_status function_bind(struct function *f, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    return f->run && has_leaf(f->program, name) ? cr_bind(f->run, name, dtype, data, bytes) : CR_OK;
}

void function_flush(struct function *f, bool flush) {
    if (f->program) f->program->flush = flush;
    if (f->run) run_look_again(f->run);
}

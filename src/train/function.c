/* A compiled program with its run. */
#include "train/function.h"

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

cr_status function_bind(struct function *f, const char *name, cr_dtype dtype, void *data, size_t bytes) {
    cr_status status = f->run ? cr_bind(f->run, name, dtype, data, bytes) : CR_OK;
    return status == CR_ENAME ? CR_OK : status;
}

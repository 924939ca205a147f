/* The table of minimisers. */
#include <string.h>

#include "train/fit.h"

static const struct minimiser_row rows[] = {
#define MINIMISER(name, function, residual, products, sentence) \
    {#name, sentence, function, residual, products},
#include "train/minimisers.def"
};

const struct minimiser_row *minimiser_row(int i) {
    return i >= 0 && (size_t)i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

const struct minimiser_row *minimiser_find(const char *name) {
    for (int i = 0; minimiser_row(i); i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

const char *cr_minimiser_name(int i) { return minimiser_row(i) ? minimiser_row(i)->name : NULL; }
const char *cr_minimiser_help(int i) { return minimiser_row(i) ? minimiser_row(i)->sentence : NULL; }
const char *cr_fit_method(const cr_fit *f) { return f && f->used ? f->used->name : ""; }

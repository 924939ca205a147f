/* The store, for this room and those above. */
#ifndef RUN_STORE_H
#define RUN_STORE_H

#include "chainrule.h"

/* Keeps the sentence and gives the status. */
cr_status store_fail(cr_store *s, cr_status status, const char *sentence);
/* How many tensors it holds; and dropping those from the n-th on. */
size_t store_count(const cr_store *s);
void store_cut(cr_store *s, size_t n);

#endif

/* The store, for the rest of this room. */
#ifndef RUN_STORE_H
#define RUN_STORE_H

#include "chainrule.h"

/* Keeps the sentence and gives the status. */
cr_status store_fail(cr_store *s, cr_status status, const char *sentence);

#endif

/* The text that takes sentences. */
#include "support/why.h"

cr_text *why;

int why_setup(void **state) {
    (void)state;
    return cr_text_new(&why, NULL) != CR_OK;
}

int why_teardown(void **state) {
    cr_text_free(why);
    return temp_remove(state);
}

/* What tests of files share: the text that takes sentences, and the directory, for a group of tests. */
#ifndef WHY_H
#define WHY_H

#include "support/files.h"

extern cr_text *why;
int why_setup(void **state);
int why_teardown(void **state);

#endif

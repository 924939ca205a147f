/* Calls that must not succeed. */
#ifndef SUPPORT_REFUSES_H
#define SUPPORT_REFUSES_H

#include "support/test.h"

static inline void refuses(const char *name, cr_status status) {
    if (status == CR_OK) fail_msg("%s did what cannot be done", name);
    assert_true(*cr_status_text(status));
}

#endif

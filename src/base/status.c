/* Sentences of the statuses, and the version. */
#include "chainrule.h"

const char *cr_status_text(cr_status status) {
    switch (status) {
#define CASE(name, number, sentence) \
    case name: return sentence;
        CR_STATUS_LIST(CASE)
#undef CASE
    }
    return "an unknown status";
}

#define TEXT(x)          #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *cr_version(void) { return VERSION(CR_VERSION_MAJOR, CR_VERSION_MINOR, CR_VERSION_PATCH); }

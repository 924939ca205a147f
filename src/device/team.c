/* Work cut into parts for the threads of a context. */
#include "base/context.h"
#include "device/device.h"

void team_run(const struct team *t, size_t count, void (*body)(void *arg, size_t i), void *arg) {
    context_parallel(t->ctx, body, arg, count);
}

void team_part(int64_t n, size_t parts, size_t i, int64_t *first, int64_t *end) {
    int64_t each = n / (int64_t)parts, more = n % (int64_t)parts, k = (int64_t)i;
    *first = each * k + (k < more ? k : more);
    *end = *first + each + (k < more);
}

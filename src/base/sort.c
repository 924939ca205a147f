/* See sort.h. */
#include "base/sort.h"

static size_t sink(const struct sorting *s, size_t at, size_t n) {
    size_t compared = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && s->before(s->self, child, child + 1)) child++;
        compared += 2;
        if (!s->before(s->self, at, child)) break;
        s->swap(s->self, at, child);
    }
    return compared;
}

size_t sort_heap(const struct sorting *s, size_t n) {
    size_t compared = 0;
    for (size_t i = n / 2; i-- > 0;) compared += sink(s, i, n);
    for (size_t end = n; end-- > 1;) {
        s->swap(s->self, 0, end);
        compared += sink(s, 0, end);
    }
    return compared;
}

/* Arithmetic of whole numbers. */
#ifndef BASE_WHOLE_H
#define BASE_WHOLE_H

#include <stddef.h>
#include <stdint.h>

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* How many of at most `each` make n. */
static inline int64_t pieces(int64_t n, int64_t each) { return (n + each - 1) / each; }

/* So many bytes, rounded up to whole cache lines; what is near SIZE_MAX stays near it. */
static inline size_t whole_lines(size_t bytes) {
    return (bytes > SIZE_MAX - 63 ? SIZE_MAX : bytes + 63) & ~(size_t)63;
}

#endif

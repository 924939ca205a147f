/* Sorting in place: heap sort (Williams 1964), no more room than itself and n log n whatever the order was. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stdbool.h>
#include <stddef.h>

/* Things by their number. */
struct sorting {
    void *self;
    bool (*before)(const void *self, size_t i, size_t k);
    void (*swap)(void *self, size_t i, size_t k);
};

/* Gives how often two were compared, at most 2 n log2(n). */
size_t sort_heap(const struct sorting *s, size_t n);

#endif

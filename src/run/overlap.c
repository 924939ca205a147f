/* Sorted by where they begin, a piece is compared with its neighbours alone: see overlap.h. */
#include "run/overlap.h"

#include "base/sort.h"

static bool before(const void *self, size_t i, size_t k) {
    const struct piece *piece = self;
    return piece[i].from < piece[k].from;
}

static void swap(void *self, size_t i, size_t k) {
    struct piece *piece = self, other = piece[i];
    piece[i] = piece[k];
    piece[k] = other;
}

size_t overlap_tell(struct piece piece[], size_t n) {
    size_t compared = sort_heap(&(struct sorting){piece, before, swap}, n);
    uintptr_t reach = 0; /* of all before */
    for (size_t i = 0; i < n; i++, compared++) {
        bool next = i + 1 < n && piece[i + 1].from < piece[i].to;
        if (piece[i].shared) *piece[i].shared = piece[i].from < reach || next;
        if (piece[i].to > reach) reach = piece[i].to;
    }
    return compared;
}

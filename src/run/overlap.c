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

/* The last that begins before `to` reaches farthest. */
bool overlap_meets(const struct piece piece[], size_t n, uintptr_t from, uintptr_t to, size_t *compared) {
    size_t low = 0, high = n; /* those before low begin before `to`, those from high on do not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (piece[middle].from < to) low = middle + 1;
        else high = middle;
        ++*compared;
    }
    return from < to && low && piece[low - 1].to > from;
}

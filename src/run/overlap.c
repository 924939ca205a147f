/* Sorted by where they begin, a piece is compared with its neighbours alone: see overlap.h. */
#include "run/overlap.h"

/* Heap sort (Williams 1964): in place, and n log n whatever the order was. One piece goes down to where it belongs. */
static size_t sift(struct piece piece[], size_t at, size_t n) {
    struct piece own = piece[at];
    size_t compared = 0;
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && piece[child + 1].from > piece[child].from) child++;
        compared += 2;
        if (piece[child].from <= own.from) break;
        piece[at] = piece[child];
    }
    piece[at] = own;
    return compared;
}

static size_t sort(struct piece piece[], size_t n) {
    size_t compared = 0;
    for (size_t i = n / 2; i-- > 0;) compared += sift(piece, i, n);
    for (size_t end = n; end-- > 1;) {
        struct piece greatest = piece[0];
        piece[0] = piece[end];
        piece[end] = greatest;
        compared += sift(piece, 0, end);
    }
    return compared;
}

size_t overlap_tell(struct piece piece[], size_t n) {
    size_t compared = sort(piece, n);
    uintptr_t reach = 0; /* of all before */
    for (size_t i = 0; i < n; i++, compared++) {
        bool next = i + 1 < n && piece[i + 1].from < piece[i].to;
        if (piece[i].shared) *piece[i].shared = piece[i].from < reach || next;
        if (piece[i].to > reach) reach = piece[i].to;
    }
    return compared;
}

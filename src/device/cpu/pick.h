/* Single numbers by indices, as vectors. */
#ifndef DEVICE_CPU_PICK_H
#define DEVICE_CPU_PICK_H

#include "device/device.h"

/* to[i] is the number of 4 or 8 bytes at from + index[i] * step (bytes), a negative index counting from the end; of one outside of
 * 0 .. limit-1 it is the first, and *good becomes false. Gives how many of the n it did: those that fill vectors, or none. limit > 0. */
int64_t cpu_pick(size_t size, void *to, const void *from, int64_t step, int64_t limit, const int64_t *index,
                 int64_t n, bool *good);

#endif

/* Which observations train, which validate, and in which order: functions of the seed and the epoch alone. */
#include <math.h>

#include "device/special.h"
#include "train/train.h"

/* Fisher and Yates, in Durstenfeld's form, with Philox (Lemire's multiplication maps 64 bits to 0 .. n-1; its bias is
 * below 2^-32 for fewer than 2^32 observations). */
static void permute(int64_t *x, int64_t n, int64_t key) {
    for (int64_t i = n - 1; i > 0; i--) {
        uint64_t bits = philox_bits(key, i) >> 32, j = (bits * (uint64_t)(i + 1)) >> 32;
        int64_t swap = x[i];
        x[i] = x[j];
        x[j] = swap;
    }
}

static void sort_up(int64_t *x, int64_t n, int64_t first) {
    for (int64_t i = 0; i < n; i++) x[i] = first + i;
}

/* order: the observations that train, then those that validate. */
cr_status train_split(struct cr_train *t) {
    if (t->rows > UINT32_MAX) return train_fail(t, CR_ELIMIT, "more than 2^32 observations");
    double wanted = t->validation < 1 ? floor(t->validation * (double)t->rows) : t->validation;
    if (wanted >= (double)t->rows)
        return train_fail(t, CR_EINVAL, "validation: %lld of %lld observations leave none to train on",
                          (long long)wanted, (long long)t->rows);
    t->validated = (int64_t)wanted;
    t->trained = t->rows - t->validated;
    if (t->order && t->order_count == 2 * t->rows) return CR_OK;
    mem_free(&t->mem, t->order, (size_t)t->order_count * sizeof *t->order);
    t->order_count = 2 * t->rows; /* the split, and the order of an epoch behind it */
    t->order = mem_alloc(&t->mem, mem_mul((size_t)t->order_count, sizeof *t->order));
    if (!t->order) return t->order_count = 0, train_memory(t);
    sort_up(t->order, t->rows, 0);
    if (t->validated) permute(t->order, t->rows, philox_fold(t->seed, -1));
    return CR_OK;
}

void train_shuffle(struct cr_train *t, int64_t epoch) {
    int64_t *now = t->order + t->rows;
    for (int64_t i = 0; i < t->trained; i++) now[i] = t->order[i];
    if (t->shuffle) permute(now, t->trained, philox_fold(t->seed, epoch));
}

/* Where a training stands, kept as tensors of the store, so that a file of the store is a checkpoint. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "train/train.h"

enum { counters = 8, sums = train_metrics + 1 };
static const char counter_name[] = "train.counters", sum_name[] = "train.sums", way_name[] = "train.compiled";

/* What must be the same when a training goes on, then what changes. */
static void counters_of(const struct cr_train *t, int64_t c[counters]) {
    const int64_t now[counters] = {t->seed,  t->batch, t->rows,     t->validated,
                                   t->epoch, t->step,  t->position, t->best_epoch};
    memcpy(c, now, sizeof now);
}

cr_status train_save_state(struct cr_train *t) {
    int64_t c[counters], n = counters, m = sums;
    double s[sums] = {0};
    counters_of(t, c);
    memcpy(s, t->sum, sizeof t->sum);
    s[train_metrics] = t->best_value;
    cr_status status = cr_store_set_tensor(t->store, counter_name, CR_I64, 1, &n, c);
    if (!status) status = cr_store_set_tensor(t->store, sum_name, CR_F64, 1, &m, s);
    if (!status)
        status = cr_store_set_tensor(t->store, way_name, CR_I64, 0, NULL, (int64_t[]){t->compiled > 0});
    return status ? train_fail(t, status, "%s", cr_store_error(t->store)) : CR_OK;
}

bool cr_train_begun(const cr_train *t) {
    return t && cr_store_data((cr_store *)(uintptr_t)t->store, counter_name, NULL, NULL); /* only read */
}

int train_begun_compiled(const struct cr_train *t) {
    int64_t compiled;
    if (!cr_store_data((cr_store *)(uintptr_t)t->store, way_name, NULL, NULL)) return -1;
    return cr_store_get(t->store, way_name, CR_I64, &compiled, sizeof compiled) ? -1 : compiled != 0;
}

cr_status train_load_state(struct cr_train *t) {
    static const char *const what[] = {"seed", "batch size", "number of observations",
                                       "number for validation"};
    int64_t c[counters], now[counters];
    double s[sums];
    if (!cr_store_data(t->store, counter_name, NULL, NULL)) return CR_OK; /* a new training */
    if (cr_store_get(t->store, counter_name, CR_I64, c, sizeof c) ||
        cr_store_get(t->store, sum_name, CR_F64, s, sizeof s))
        return train_fail(t, CR_EFORMAT, "the store has a state of training of another version");
    counters_of(t, now);
    for (int i = 0; i < 4; i++)
        if (c[i] != now[i])
            return train_fail(
                t, CR_EINVAL,
                "this training was begun with %s %lld, found %lld: go on with the same, or begin another",
                what[i], (long long)c[i], (long long)now[i]);
    t->epoch = c[4], t->step = c[5], t->position = c[6], t->best_epoch = c[7];
    memcpy(t->sum, s, sizeof t->sum);
    t->best_value = s[train_metrics];
    return CR_OK;
}

/* ---- The best parameters so far: "best.W1" ---- */

static cr_status copy(struct cr_train *t, const char *to, const char *from) {
    cr_array *a = NULL;
    cr_status status = cr_store_array(&a, t->store, from);
    if (!status)
        status = cr_store_set_tensor(t->store, to, cr_array_dtype(a), cr_array_rank(a), cr_array_dims(a),
                                     cr_array_data(a));
    cr_array_free(a);
    return status ? train_fail(t, status, "the best parameters cannot be kept: %s", cr_status_text(status))
                  : CR_OK;
}

/* The model's own parameter, and nothing that the optimiser keeps? */
static bool own(const cr_train *t, cr_node x) {
    return cr_ok(x) && graph_get(x)->op == OP_param && x.id < t->own_nodes;
}

bool cr_train_owns(const cr_train *t, const char *name) {
    return t && name && t->phase[0].g && own(t, cr_find(t->phase[0].g, name));
}

static cr_status move_best(struct cr_train *t, bool take) {
    const cr_graph *g = t->phase[0].g;
    cr_status status = g ? CR_OK : CR_EINVAL;
    for (int i = 0; !status && cr_ok(cr_leaf((cr_graph *)(uintptr_t)g, i)); i++) {
        cr_node x = cr_leaf((cr_graph *)(uintptr_t)g, i);
        const char *name = cr_name(x);
        struct cr_text best = text_make(&t->mem);
        text_add(&best, "best.%s", name);
        bool kept = own(t, x) && cr_store_data(t->store, name, NULL, NULL);
        if (best.failed) status = train_memory(t);
        else if (kept) status = copy(t, take ? name : cr_text_str(&best), take ? cr_text_str(&best) : name);
        text_drop(&best);
    }
    return status;
}

cr_status train_keep_best(struct cr_train *t) { return move_best(t, false); }

cr_status cr_train_take_best(cr_train *t) {
    if (!t) return CR_EINVAL;
    if (!t->best_epoch) return CR_OK;
    return move_best(t, true);
}

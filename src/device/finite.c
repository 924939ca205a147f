/* Nodes that make what is not a finite number. */
#include "device/finite.h"

#include <math.h>

#include "tensor/dtype.h"

enum { some = 256 }; /* elements looked at together */

struct unfinite tensor_unfinite(const struct tensor *x, cr_dtype as) {
    struct unfinite found = {false, false};
    double there[some], rounded[some], wide[some]; /* of any dtype: none is larger */
    if (!dtype_is_float(as)) return found;
    int64_t count = shape_count(x->rank, x->dim);
    for (int64_t first = 0; first < count && !(found.nan && found.inf); first += some) {
        int64_t n = count - first < some ? count - first : some;
        copy_range(there, x->data, cr_dtype_size(x->dtype), x->rank, x->dim, x->stride, first, n);
        dtype_convert(as, rounded, 1, x->dtype, there, 1, n);
        dtype_convert(CR_F64, wide, 1, as, rounded, 1, n);
        for (int64_t i = 0; i < n; i++) {
            found.nan = found.nan || isnan(wide[i]);
            found.inf = found.inf || isinf(wide[i]);
        }
    }
    return found;
}

cr_status finite_trap(const cr_graph *g, uint32_t id, struct unfinite (*look)(const void *where, uint32_t id),
                      const void *where, bool *infinite) {
    const struct node *n = graph_at(g, id);
    if (op_kind(n->op) == KIND_LEAF || op_kind(n->op) == KIND_CONTROL) return CR_OK;
    if (n->op == OP_part && op_kind(graph_at(g, n->arg[0])->op) == KIND_CONTROL)
        return CR_OK; /* functions trap their own nodes */
    struct unfinite made = look(where, id);
    for (uint32_t k = 0; k < n->n && (made.nan || made.inf); k++) {
        struct unfinite operand = look(where, graph_args(g, n)[k]);
        made.nan = made.nan && !operand.nan;
        made.inf = made.inf && !operand.inf;
    }
    if (op_kind(n->op) == KIND_REDUCE && graph_elements(g, graph_at(g, n->arg[0])) == 0) made.inf = false;
    *infinite = !made.nan;
    return made.nan || made.inf ? CR_ENAN : CR_OK;
}

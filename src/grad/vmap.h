/* Many slices at once. */
#ifndef GRAD_VMAP_H
#define GRAD_VMAP_H

#include "ops/build.h"

/* out[j] is ys[j] with xs[i] replaced by batched[i], which has a leading axis of `slices` more: so has out[j]. fold_keys: a draw has
 * the index of its slice folded into its key; else those that do not depend on the xs are the same in all. All are good nodes of one
 * graph, of fitting shapes and dtypes. CR_OK, or the graph's error. */
cr_status vmap(cr_node out[], int64_t slices, int n_ys, const cr_node ys[], int n, const cr_node xs[],
               const cr_node batched[], bool fold_keys);

#endif

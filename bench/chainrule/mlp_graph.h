/* The graph of the MLP's training step, by C calls alone. */
#ifndef BENCH_MLP_GRAPH_H
#define BENCH_MLP_GRAPH_H
#include "chainrule.h"
#include "common/mlp_data.h"

enum { MLP_TENSORS = 6 };

/* A parameter's name is NAME, those of its moments are "m.NAME" and "v.NAME". */
struct mlp_tensor {
    const char *name, *m, *v;
    int rank;
    int64_t dim[2];
    size_t offset; /* in the flat vector of mlp_data.h */
};
extern const struct mlp_tensor mlp_tensor[MLP_TENSORS];

/* loss = mean(cross_entropy(..)) of inputs x [batch, 784] and y [batch], and its gradient by every parameter.
 */
cr_node mlp_loss(cr_graph *g, int64_t batch, cr_node parameter[MLP_TENSORS], cr_node gradient[MLP_TENSORS]);

/* The same with an output "loss" and Adam's updates. The graph has the error, if there is one. */
cr_target *mlp_target(cr_graph *g, int64_t batch);

#endif

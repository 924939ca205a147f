/* What a node is, for all to ask. */
#include "graph/graph.h"

int64_t graph_elements(const cr_graph *g, const struct node *n) {
    return shape_count(graph_rank(g, n), graph_dims(g, n));
}

struct shape graph_shape(const cr_graph *g, const struct node *n) {
    return shape_of(graph_rank(g, n), graph_dims(g, n));
}

bool cr_ok(cr_node x) { return graph_get(x) != NULL; }

int cr_rank(cr_node x) {
    const struct node *n = graph_get(x);
    return n ? graph_rank(x.graph, n) : 0;
}

const int64_t *cr_dims(cr_node x) {
    static const int64_t none[1] = {0};
    const struct node *n = graph_get(x);
    return n ? graph_dims(x.graph, n) : none;
}

int64_t cr_count(cr_node x) {
    const struct node *n = graph_get(x);
    return n ? graph_elements(x.graph, n) : 0;
}

cr_dtype cr_dtype_of(cr_node x) {
    const struct node *n = graph_get(x);
    return n ? (cr_dtype)n->dtype : CR_F64;
}

const char *cr_op_of(cr_node x) {
    const struct node *n = graph_get(x);
    return op_name(n ? n->op : OP_error);
}

int cr_operand_count(cr_node x) {
    const struct node *n = graph_get(x);
    return n ? (int)n->n : 0;
}

cr_node cr_operand(cr_node x, int i) {
    const struct node *n = graph_get(x);
    if (!n || i < 0 || (uint32_t)i >= n->n) return graph_error_node(x.graph);
    return graph_handle(x.graph, graph_args(x.graph, n)[i]);
}

bool cr_same(cr_node a, cr_node b) { return a.graph == b.graph && a.id == b.id && a.epoch == b.epoch; }

cr_node cr_leaf(cr_graph *g, int i) {
    if (g && i >= 0 && (size_t)i < g->leaf_n) return graph_handle(g, g->leaf[i]);
    return graph_error_node(g);
}

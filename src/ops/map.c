/* The index maps of views: where each element of the result stands among the operand's numbers. */
#include "ops/build.h"

struct map {
    struct shape from, to;
    const int64_t *attr, *have; /* have: strides of the operand */
    int64_t *stride, offset;    /* of the result */
};

/* The next axis at or after *i that has more than one number; its size, or 1 if there is none. */
static int64_t next_size(const struct shape *s, int *i) {
    while (*i < s->rank && s->dim[*i] == 1) (*i)++;
    return *i < s->rank ? s->dim[*i] : 1;
}

/* The numbers keep their places, if axes that become others run on into each other: group after group of neighbours that come to
 * as many numbers on both sides. */
static bool map_reshape(struct map *m) {
    const struct shape *from = &m->from, *to = &m->to;
    shape_strides(to, m->stride);
    if (shape_count(from->rank, from->dim) == 0) return true;
    for (int i = 0, k = 0, first;;) {
        int64_t have = next_size(from, &i), want = next_size(to, &k);
        if (have == 1 && want == 1) return true;
        for (first = k; have != want;) {
            int before = i;
            if (have < want) {
                i++, have *= next_size(from, &i);
                if (m->have[before] != from->dim[i] * m->have[i]) return false;
            } else k++, want *= next_size(to, &k);
        }
        int64_t stride = m->have[i];
        for (int j = k; j >= first; stride *= to->dim[j--]) m->stride[j] = stride;
        i++, k++;
    }
}

/* For each axis, last first: which axis of the operand it is, counted from the end. */
static bool map_permute(struct map *m) {
    int rank = m->to.rank;
    for (int i = 0; i < rank; i++) m->stride[i] = m->have[rank + m->attr[rank - 1 - i]];
    return true;
}

static bool map_expand(struct map *m) {
    int added = m->to.rank - m->from.rank;
    for (int i = 0; i < m->to.rank; i++)
        m->stride[i] = i < added || m->from.dim[i - added] != m->to.dim[i] ? 0 : m->have[i - added];
    return true;
}

/* For each axis, last first: start and step. */
static bool map_slice(struct map *m) {
    for (int i = 0; i < m->to.rank; i++) {
        const int64_t *at = m->attr + 2 * (m->to.rank - 1 - i);
        m->offset += m->have[i] * at[0];
        m->stride[i] = m->have[i] * at[1];
    }
    return true;
}

/* For each axis, last first: size, stride and dilation. */
static bool map_window(struct map *m) {
    int n = m->to.rank - m->from.rank, lead = m->from.rank - n;
    for (int i = 0; i < lead; i++) m->stride[i] = m->have[i];
    for (int i = 0; i < n; i++) {
        const int64_t *at = m->attr + 3 * (n - 1 - i);
        m->stride[lead + i] = m->have[lead + i] * at[1];
        m->stride[lead + n + i] = m->have[lead + i] * at[2];
    }
    return true;
}

typedef bool map_fn(struct map *m);

#define ELEM(value)          NULL
#define REDUCE(start, value) NULL
#define VIEW(map)            map_##map
#define OPAQUE(...)          NULL
#define PARTS(...)           NULL
#define CONTROL(...)         NULL
#define ALIAS                NULL
#define LEAF                 NULL

static map_fn *const maps[OP_COUNT] = {
#define ROW(name, form, arguments, kind, ...) [OP_##name] = kind,
#include "ops/ops.def"
#undef ROW
};

bool ops_view(const cr_graph *g, const struct node *view, const int64_t have[], int64_t stride[],
              int64_t *offset) {
    struct map m = {graph_shape(g, graph_at(g, view->arg[0])),
                    graph_shape(g, view),
                    graph_attr(g, view),
                    have,
                    stride,
                    0};
    bool ok = maps[view->op](&m);
    *offset = m.offset;
    return ok;
}

/* Which libraries compute matrix products, and how a product is cut into tiles for one. */
#include "device/cpu/product.h"

#include <string.h>

#include "base/context.h"
#include "base/whole.h"
#include "device/kernels.h"

/* ---- Which there are ---- */

static const struct product *const products[] = {&product_blis};

static const struct product *found(size_t i) {
    for (size_t k = 0; k < sizeof products / sizeof *products; k++)
        if (products[k]->tile[0] && i-- == 0) return products[k];
    return NULL;
}

static const char builtin[] = "builtin";

const char *cr_context_product_name(int i) {
    const struct product *p = i > 0 ? found((size_t)i - 1) : NULL;
    return i == 0 ? builtin : p ? p->name : NULL;
}

cr_status cr_context_product(cr_context *ctx, const char *name) {
    const struct product *p = NULL;
    if (!ctx || !name) return CR_EINVAL;
    if (strcmp(name, builtin) != 0) {
        size_t i = 0;
        while ((p = found(i)) && strcmp(name, p->name) != 0) i++;
        if (!p) return CR_ENAME;
    }
    context_set_product(ctx, p);
    return CR_OK;
}

/* ---- Tiles ---- */

enum {
    tile_rows = 128, /* with tile_columns: 128x784x512 makes two tiles of 50 million operations each */
    tile_columns = 256
};

struct tiles {
    const struct kernel_call *c;
    int64_t m, n, k;
    int64_t sa[2], sb[2]; /* strides of rows and columns */
    int64_t panels, strips, count;
    size_t parts;
};

/* An axis of one element has any stride: here, that of a matrix without gaps. False: no axis is side by side, or lines overlap. */
static bool lies_well(const struct tensor *x, int64_t stride[2]) {
    int r = x->rank - 2;
    const int64_t *d = x->dim + r;
    for (int i = 0; i < 2; i++) stride[i] = x->stride[r + i];
    if (d[1] == 1) stride[1] = 1, stride[0] = d[0] == 1 ? 1 : stride[0];
    else if (d[0] == 1) stride[0] = stride[1] == 1 ? d[1] : 1;
    return (stride[1] == 1 && stride[0] >= d[1]) || (stride[0] == 1 && stride[1] >= d[0]);
}

static int64_t parts_of(int64_t n, int64_t r) { return (n + r - 1) / r; }

static bool cut(struct tiles *all, const struct kernel_call *c) {
    const struct tensor *a = &c->in[0], *b = &c->in[1];
    int r = c->out.rank - 2;
    *all = (struct tiles){.c = c, .m = a->dim[r], .n = b->dim[r + 1], .k = a->dim[r + 1]};
    all->panels = parts_of(all->m, tile_rows);
    all->strips = parts_of(all->n, tile_columns);
    all->count = shape_count(r, c->out.dim) * all->panels * all->strips;
    all->parts = matmul_parts(c);
    if (all->count < (int64_t)all->parts) all->parts = (size_t)all->count;
    return lies_well(a, all->sa) && lies_well(b, all->sb);
}

static void run_tile(const struct tiles *all, int64_t i) {
    const struct kernel_call *c = all->c;
    int64_t batch = i / (all->panels * all->strips), row = i / all->strips % all->panels * tile_rows,
            column = i % all->strips * tile_columns, size = c->out.dtype == CR_F64 ? 8 : 4;
    const char *a = c->in[0].data, *b = c->in[1].data;
    char *y = c->out.data;
    struct gemm_tile t = {.k = all->k,
                          .a = a + (matmul_offset(&c->in[0], batch) + row * all->sa[0]) * size,
                          .b = b + (matmul_offset(&c->in[1], batch) + column * all->sb[1]) * size,
                          .c = y + ((batch * all->m + row) * all->n + column) * size,
                          .rsa = all->sa[0],
                          .csa = all->sa[1],
                          .rsb = all->sb[0],
                          .csb = all->sb[1],
                          .rsc = all->n,
                          .rows = least(tile_rows, all->m - row),
                          .columns = least(tile_columns, all->n - column)};
    c->team->product->tile[c->out.dtype == CR_F64](&t);
}

static void run_part(void *arg, size_t i) {
    const struct tiles *all = arg;
    int64_t first, end;
    team_part(all->count, all->parts, i, &first, &end);
    for (; first < end; first++) run_tile(all, first);
}

bool product_matmul(struct kernel_call *c) {
    struct tiles all;
    if (!cut(&all, c)) return false;
    if (all.parts == 1) run_part(&all, 0);
    else if (all.parts > 1) team_run(c->team, all.parts, run_part, &all);
    return true;
}

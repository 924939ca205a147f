/* Products of the Hessian and a vector, in forward mode over reverse mode. */
#include "train/product.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/copy.h"
#include "ops/build.h"
#include "tensor/dtype.h"
#include "train/fit.h"

/* ---- The loss, kept ---- */

static void take_copy(struct product *p, uint32_t *map, uint32_t *root, cr_node loss, int n,
                      const cr_node params[]) {
    root[0] = loss.id;
    for (int i = 0; i < n; i++) root[1 + i] = params[i].id;
    struct copy_wish wish = {.n = (size_t)n + 1, .root = root};
    p->g = graph_copy(loss.graph, &wish, map);
    if (!p->g) return;
    p->loss = graph_handle(p->g, map[loss.id]);
    for (int i = 0; i < n; i++) p->param[i] = graph_handle(p->g, map[params[i].id]);
}

cr_status product_new(struct product *p, const struct mem *m, cr_node loss, int n, const cr_node params[]) {
    size_t map_bytes = loss.graph->count * sizeof(uint32_t), root_bytes = ((size_t)n + 1) * sizeof(uint32_t);
    uint32_t *map = mem_alloc(m, map_bytes), *root = mem_alloc(m, root_bytes);
    p->param = mem_alloc(m, mem_mul((size_t)n, sizeof *p->param));
    p->vector = mem_zero(m, mem_mul(2 * (size_t)n, sizeof *p->vector));
    p->params = n;
    if (map && root && p->param && p->vector) take_copy(p, map, root, loss, n, params);
    mem_free(m, map, map_bytes);
    mem_free(m, root, root_bytes);
    return p->g ? CR_OK : CR_ENOMEM;
}

void product_free(struct product *p, const struct cr_fit *f) {
    size_t n = (size_t)p->params;
    function_free(&p->function);
    for (int i = 0; p->vector && i < 2 * p->params; i++)
        mem_free_aligned(&f->mem, p->vector[i], f->place[i % p->params].bytes);
    mem_free(&f->mem, p->vector, 2 * n * sizeof *p->vector);
    mem_free(&f->mem, p->param, n * sizeof *p->param);
    cr_graph_free(p->g);
    *p = (struct product){0};
}

/* ---- The program ---- */

static void name_of(char name[32], const char *what, int i) { snprintf(name, 32, "%s %d", what, i); }

/* d[0..n-1] the gradient, t the directions, h their products. */
static cr_status build(struct product *p, cr_target *target, cr_node *d, cr_node *t, cr_node *h) {
    char name[32];
    int n = p->params;
    cr_status status = cr_grad(d, p->loss, n, p->param);
    for (int i = 0; i < n && !status; i++) {
        struct shape s = ops_shape(p->param[i]);
        name_of(name, "direction", i);
        t[i] = cr_input(p->g, name, cr_dtype_of(p->param[i]), s.rank, s.dim);
    }
    if (!status) status = cr_jvp(h, n, d, n, p->param, t);
    for (int i = 0; i < n && !status; i++) {
        name_of(name, "product", i);
        status = cr_target_output(target, name, h[i]);
    }
    return status;
}

static cr_status compile(struct cr_fit *f, struct product *p) {
    size_t n = (size_t)p->params, bytes = mem_mul(3 * n, sizeof(cr_node));
    cr_node *room = mem_alloc(&f->mem, bytes);
    cr_target *target = cr_target_new(p->g);
    cr_status status = room && target ? build(p, target, room, room + n, room + 2 * n) : CR_ENOMEM;
    mem_free(&f->mem, room, bytes);
    if (!status) return function_make(&p->function, target, f->store);
    cr_target_free(target);
    return status;
}

static cr_status bind_vectors(struct cr_fit *f, struct product *p) {
    char name[32];
    cr_status status = CR_OK;
    for (int i = 0; i < 2 * p->params && !status; i++) {
        const struct tensor_place *of = &f->place[i % p->params];
        p->vector[i] = mem_alloc_aligned(&f->mem, of->bytes);
        if (!p->vector[i]) return CR_ENOMEM;
        bool direction = i < p->params;
        name_of(name, direction ? "direction" : "product", i % p->params);
        if (direction) status = function_bind(&p->function, name, of->dtype, p->vector[i], of->bytes);
        else status = cr_bind(p->function.run, name, of->dtype, p->vector[i], of->bytes);
    }
    return status;
}

cr_status product_make(struct cr_fit *f) {
    struct product *p = &f->product;
    if (p->function.run) return CR_OK;
    cr_status status = compile(f, p);
    if (status) {
        fit_failed(f, status, cr_graph_error(p->g));
        cr_graph_clear_error(p->g);
        return status;
    }
    status = bind_vectors(f, p);
    for (size_t i = 0; i < f->bindings && !status; i++) {
        const struct bound_input *b = &f->binding[i];
        status = function_bind(&p->function, b->name, b->dtype, b->data, b->bytes);
    }
    function_flush(&p->function, f->flush);
    return status ? fit_failed(f, status, NULL) : CR_OK;
}

bool fit_product(struct cr_fit *f, const double *x, const double *v, double *out) {
    struct product *p = &f->product;
    fit_scatter(f, x);
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++) dtype_put(f->place[i].dtype, p->vector[i], k, *v++);
    f->evaluations++;
    f->status = cr_step(p->function.run);
    if (f->status) return fit_failed(f, f->status, cr_run_error(p->function.run)), false;
    bool finite = true;
    for (int i = 0; i < f->places; i++)
        for (int64_t k = 0; k < f->place[i].count; k++) {
            int64_t at = f->place[i].first + k;
            out[at] = f->held[at] ? 0 : dtype_get(f->place[i].dtype, p->vector[p->params + i], k);
            finite = finite && isfinite(out[at]);
        }
    return finite;
}

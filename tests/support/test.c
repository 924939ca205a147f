#include "support/test.h"

#include <float.h>

struct fixture fixture_of(const char *formula, ...) {
    struct fixture f = {.g = cr_graph_new(NULL)};
    va_list ap;
    const char *name;
    assert_int_equal(cr_eval_new(&f.e, f.g, NULL), CR_OK);
    va_start(ap, formula);
    while ((name = va_arg(ap, const char *))) {
        double x = va_arg(ap, double);
        assert_int_equal(cr_eval_set(f.e, cr_input(f.g, name, CR_F64, 0, NULL), CR_F64, &x, sizeof x), CR_OK);
    }
    va_end(ap);
    f.y = cr_formula(f.g, formula);
    if (!cr_ok(f.y)) fail_msg("%s", cr_graph_error(f.g));
    return f;
}

void fixture_free(struct fixture *f) {
    cr_eval_free(f->e);
    cr_graph_free(f->g);
}

double derivative(struct fixture *f, const char *name, int order) {
    cr_node y = f->y, x = cr_find(f->g, name);
    for (int i = 0; i < order; i++)
        if (cr_grad(&y, y, 1, &x)) fail_msg("%s", cr_graph_error(f->g));
    return cr_eval_number(f->e, y);
}

double derivative_forward(struct fixture *f, const char *name, int order) {
    cr_node y = f->y, x = cr_find(f->g, name), one = cr_number(f->g, 1);
    for (int i = 0; i < order; i++)
        if (cr_jvp(&y, 1, &y, 1, &x, &one)) fail_msg("%s", cr_graph_error(f->g));
    return cr_eval_number(f->e, y);
}

bool within_ulps(double a, double b, double ulps) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    if (isinf(a) || isinf(b)) return false;
    double size = fmax(fabs(a), fabs(b));
    return fabs(a - b) <= ulps * fmax(size * DBL_EPSILON, DBL_TRUE_MIN);
}

void *failing_realloc(void *user, void *ptr, size_t old_size, size_t size) {
    struct failing *f = user;
    if (size == 0) {
        if (ptr) f->live--, f->bytes -= old_size;
        free(ptr);
        return NULL;
    }
    f->count++;
    if (f->fail_at && (f->all_after ? f->count >= f->fail_at : f->count == f->fail_at)) return NULL;
    void *p = realloc(ptr, size);
    if (!p) return NULL;
    if (!ptr) f->live++, old_size = 0;
    f->bytes += size - old_size;
    if (f->bytes > f->peak) f->peak = f->bytes;
    return p;
}

static bool fail_once(cr_status (*scenario)(cr_context *ctx), long at, bool all_after) {
    struct failing f = {.fail_at = at, .all_after = all_after};
    cr_context *ctx = NULL;
    cr_status status = cr_context_new_with(&ctx, failing_realloc, &f);
    if (!status) status = scenario(ctx);
    cr_context_free(ctx);
    if (status != CR_OK && status != CR_ENOMEM) fail_msg("allocation %ld: status %d", at, (int)status);
    if (f.live)
        fail_msg("allocation %ld failed%s: %ld blocks leak", at, all_after ? " and all after" : "", f.live);
    return f.count >= at;
}

void fail_each_allocation(cr_status (*scenario)(cr_context *ctx)) {
    for (int all = 0; all < 2; all++)
        for (long at = 1; fail_once(scenario, at, all); at++) {}
}

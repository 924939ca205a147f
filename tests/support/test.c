#include "support/test.h"

#include <float.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool sanitized = true;
#elif defined(__has_feature)
const bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
const bool sanitized = false;
#endif

int rounds(int n) {
    const char *scale = getenv("CHECK_SCALE");
    int scaled = n * (scale ? atoi(scale) : 1);
    return sanitized && scaled > 4 ? scaled / 4 : scaled;
}

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

cr_node total(cr_node x) { return cr_sum(x, 0, NULL, false); }

#include "support/written_out.h"

void equal_everywhere(cr_node a, cr_node b, int n, const struct given in[], double tolerance) {
    enum { most = 4096 };
    static double x[most], y[most];
    size_t bytes = (size_t)cr_count(a) * cr_dtype_size(cr_dtype_of(a));
    assert_int_equal(cr_count(a), cr_count(b));
    assert_true(bytes <= sizeof x);
    for (enum way way = 0; way < WAYS; way++) {
        compute(way, a, n, in, x, bytes);
        compute(way, b, n, in, y, bytes);
        for (int64_t i = 0; i < cr_count(a); i++) {
            bool wide = cr_dtype_of(a) == CR_F64;
            double u = wide ? x[i] : ((float *)x)[i], v = wide ? y[i] : ((float *)y)[i];
            if (!(fabs(u - v) <= tolerance * fmax(1, fabs(v))))
                fail_msg("%s: element %d: %.17g, written out %.17g", way_name(way), (int)i, u, v);
        }
    }
}

void same_derivatives(cr_node y, cr_node z, int n_wrt, const cr_node wrt[], int n, const struct given in[],
                      double tolerance) {
    cr_node a[4], b[4], s = y, t = z, one[4];
    cr_graph *g = y.graph;
    for (int order = 1; order <= 3; order++) {
        assert_int_equal(cr_grad(a, s, n_wrt, wrt), CR_OK);
        assert_int_equal(cr_grad(b, t, n_wrt, wrt), CR_OK);
        s = t = cr_number(g, 0);
        for (int i = 0; i < n_wrt; i++) {
            equal_everywhere(a[i], b[i], n, in, tolerance);
            s = cr_add(s, total(cr_sin(cr_mul(cr_number(g, 0.3), a[i])))); /* stays small */
            t = cr_add(t, total(cr_sin(cr_mul(cr_number(g, 0.3), b[i]))));
        }
        for (int i = 0; i < n_wrt; i++) one[i] = cr_cos(wrt[i]);
        assert_int_equal(cr_jvp(a, 1, &s, n_wrt, wrt, one), CR_OK);
        assert_int_equal(cr_jvp(b, 1, &t, n_wrt, wrt, one), CR_OK);
        equal_everywhere(a[0], b[0], n, in, tolerance);
        if (order == 1) s = a[0], t = b[0]; /* reverse over forward over reverse */
    }
}

/* Faults in the rules, one after the other, and what check says: it must name the op. */
#include "support/test.h"
#include "support/rows.h"

#include "support/faulty_rules.h"

static cr_status checked(const struct row_case *c, cr_text *out) {
    cr_text_clear(out);
    cr_node y = cr_rank(c->y) ? cr_sum(c->y, 0, NULL, false) : c->y;
    bool fraction = cr_dtype_of(y) == CR_F64 && c->n_wrt;
    return fraction ? cr_check(out, c->e, y, c->n_wrt, c->wrt, 1e-6, 1e-8) : CR_OK;
}

/* "WRONG name" in a line, blanks aligned as they may be. */
static bool names(const char *report, const char *op) {
    size_t n = strlen(op);
    for (const char *s = report; (s = strstr(s, "WRONG ")); s++) {
        const char *word = s + 6;
        if (strncmp(word, op, n) == 0 && word[n] == ' ') return true;
    }
    return false;
}

TEST(right_rules_pass) {
    (void)state;
    cr_text *out = NULL;
    struct row_case c;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; row_case_make(&c, op, i, CR_F64); i++) {
            cr_status s = checked(&c, out);
            if (s && s != CR_ESINGULAR) /* a case of a matrix that has no derivative */
                fail_msg("%s: %s\n%s", c.label, cr_graph_error(c.g) ? cr_graph_error(c.g) : "",
                         cr_text_str(out));
            row_case_free(&c);
        }
    cr_text_free(out);
}

/* The rules of ops that run functions that a fault was put into: vjp, jvp. */
static bool spoiled_whole[OP_COUNT][2];

/* Is the fault that is set caught in one of its op's cases? A case that it cannot show in says nothing. */
static bool is_caught(cr_text *out) {
    struct row_case c;
    bool caught = false;
    for (int i = 0; !caught && row_case_make(&c, fault.op, i, CR_F64); i++) {
        caught = checked(&c, out) == CR_EFAIL && names(cr_text_str(out), op_name(fault.op));
        row_case_free(&c);
    }
    return caught;
}

TEST(check_names_the_op_of_every_fault_in_every_row_and_operand) {
    (void)state;
    int injected = 0, caught = 0, whole = 0;
    cr_text *out = NULL;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    while (next_fault()) {
        bool found = is_caught(out);
        if (!fault_applies()) continue;
        injected++, caught += found;
        if (runs_functions(fault.op)) spoiled_whole[fault.op][fault.place == IN_JVP] = true, whole++;
        if (!found)
            print_message("not caught: %s by operand %d, place %d: %s (met %d times)\n%s\n",
                          op_name(fault.op), fault.k, (int)fault.place, fault_name(fault.kind), fault.met,
                          cr_text_str(out));
    }
    print_message("faults injected %d, caught %d; %d of them in ops that run functions\n", injected, caught,
                  whole);
    assert_int_equal(injected, caught);
    for (int op = 1; op < OP_COUNT; op++)
        for (int mode = 0; mode < 2; mode++)
            if (runs_functions(op) && !spoiled_whole[op][mode])
                fail_msg("%s: no fault in its %s: a case is missing", op_name(op), mode ? "jvp" : "vjp");
    cr_text_free(out);
}

/* Of functions of f32 what is checked is the same in double precision: right rules are right to 1e-6, and a factor 1.001 shows. */
TEST(functions_in_f32_are_checked_op_by_op_too) {
    (void)state;
    cr_text *out = NULL;
    struct row_case c;
    int cases = 0, caught = 0;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    for (int op = 1; op < OP_COUNT; op++)
        for (int i = 0; runs_functions(op) && row_case_make(&c, op, i, CR_F32); i++, cases++) {
            cr_node y = cr_sum(c.y, 0, NULL, false);
            for (int faulty = 0; faulty < 2; faulty++) {
                memset(&fault, 0, sizeof fault);
                if (faulty) fault.op = op, fault.k = 1, fault.kind = FAULT_FACTOR, fault.place = IN_VJP;
                cr_text_clear(out);
                cr_status s = cr_check(out, c.e, y, c.n_wrt, c.wrt, 1e-6, 1e-8);
                if (faulty) caught += s == CR_EFAIL && names(cr_text_str(out), op_name(op));
                else if (s) fail_msg("%s: %s\n%s", c.label, cr_graph_error(c.g), cr_text_str(out));
            }
            row_case_free(&c);
        }
    memset(&fault, 0, sizeof fault);
    print_message("%d cases, the fault in %d\n", cases, caught);
    assert_true(cases >= 12 && 4 * caught >= 3 * cases);
    cr_text_free(out);
}

/* ---- A function of the host's: its author may be wrong ---- */

/* What of the author's derivatives is spoiled: by operand 0 or 1, in the vjp or the jvp, and how. */
struct author {
    int k, way; /* way 0: nothing; 1: the vjp, 2: the jvp */
    enum fault_kind kind;
};

/* y = a b^2 */
static cr_status product(void *user, int n_in, const cr_tensor in[], int n_out, const cr_tensor out[]) {
    (void)user, (void)n_in, (void)n_out;
    const double *a = in[0].data, *b = in[1].data;
    double *y = out[0].data;
    *y = *a * *b * *b;
    return CR_OK;
}

static cr_node as_author(const struct author *u, int k, int way, cr_node d) {
    if (u->way != way || u->k != k) return d;
    if (u->kind == FAULT_SIGN) return cr_neg(d);
    return u->kind == FAULT_FACTOR ? cr_mul(d, cr_number(d.graph, 1.001)) : graph_error_node(d.graph);
}

static cr_node local_of_product(const cr_node x[], int k) {
    return k == 0 ? cr_square(x[1]) : cr_mul(cr_number(x[0].graph, 2), cr_mul(x[0], x[1]));
}

static cr_status product_vjp(void *user, cr_node grads[], int n_in, const cr_node x[], int n_out,
                             const cr_node y[], const cr_node g[]) {
    (void)n_out, (void)y;
    for (int k = 0; k < n_in; k++) grads[k] = as_author(user, k, 1, cr_mul(g[0], local_of_product(x, k)));
    return CR_OK;
}

static cr_status product_jvp(void *user, cr_node out[], int n_in, const cr_node x[], int n_out,
                             const cr_node y[], const cr_node t[]) {
    (void)n_out, (void)y;
    for (int k = 0; k < n_in; k++) {
        if (!cr_ok(t[k])) continue;
        cr_node d = as_author(user, k, 2, cr_mul(t[k], local_of_product(x, k)));
        if (cr_ok(d)) out[0] = cr_ok(out[0]) ? cr_add(out[0], d) : d;
    }
    return CR_OK;
}

static cr_status check_product(struct author *u, cr_text *out) {
    struct fixture f = fixture_of("a + b", "a", 0.7, "b", 1.3, NULL);
    cr_node x[2] = {cr_find(f.g, "a"), cr_find(f.g, "b")}, y;
    cr_function *fn = NULL;
    cr_text_clear(out);
    assert_int_equal(
        cr_function_callback(&fn, "product", 2, x, 1, &f.y, product, product_vjp, product_jvp, u), CR_OK);
    assert_int_equal(cr_call(&y, fn, 2, x), CR_OK);
    cr_status status = cr_check(out, f.e, cr_sin(y), 2, x, 1e-6, 1e-8);
    cr_function_free(fn);
    fixture_free(&f);
    return status;
}

TEST(check_names_the_call_of_a_callback_whose_author_is_wrong) {
    (void)state;
    cr_text *out = NULL;
    struct author u = {0};
    int injected = 0, caught = 0;
    assert_int_equal(cr_text_new(&out, NULL), CR_OK);
    if (check_product(&u, out)) fail_msg("%s", cr_text_str(out));
    for (u.way = 1; u.way <= 2; u.way++)
        for (u.k = 0; u.k < 2; u.k++)
            for (u.kind = FAULT_SIGN; u.kind <= FAULT_DROPPED; u.kind++, injected++) {
                bool found = check_product(&u, out) == CR_EFAIL && names(cr_text_str(out), "call");
                caught += found;
                if (!found)
                    print_message("not caught: operand %d, %s: %s\n%s\n", u.k, u.way == 1 ? "vjp" : "jvp",
                                  fault_name(u.kind), cr_text_str(out));
            }
    print_message("faults injected %d, caught %d\n", injected, caught);
    assert_int_equal(injected, 12);
    assert_int_equal(caught, injected);
    cr_text_free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        RUN(right_rules_pass),
        RUN(check_names_the_op_of_every_fault_in_every_row_and_operand),
        RUN(functions_in_f32_are_checked_op_by_op_too),
        RUN(check_names_the_call_of_a_callback_whose_author_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
